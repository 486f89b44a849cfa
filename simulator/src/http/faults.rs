//! Faults on a request's way: before its answer, or in the middle of it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use serde_json::Value;
use tokio::time::{Sleep, sleep};

use super::App;
use super::failure::Failure;
use super::record::is_poll;
use crate::faults::{Armed, Fault, Kind};
use crate::options::Face;
use crate::server::{Plug, Pull};

/// A body to which something happens.
#[derive(Debug)]
struct Faulty {
    inner: Body,
    fault: Fault,
    plug: Plug,
    /// Events that passed.
    passed: u64,
    /// Bytes of an event that are still to drip.
    rest: Bytes,
    asleep: Option<Pin<Box<Sleep>>>,
    /// Whether the stall is over.
    stalled: bool,
    /// What comes instead of the rest.
    last: Bytes,
}

const DEFAULT_DRIP: Duration = Duration::from_millis(10);

/// The middleware behind the recorder.
pub async fn strike(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let fault = if path.starts_with("/simulator/") { None } else { app.faults.strike(path, is_poll(path)) };
    let (Some(fault), Some(plug)) = (fault, request.extensions().get::<Plug>().cloned()) else {
        return next.run(request).await;
    };
    match (fault.kind, fault.after) {
        (Kind::Reset, None) => gone(&plug, Pull::Reset).await,
        (Kind::Close, None) => gone(&plug, Pull::Close).await,
        (Kind::Garbage, _) => gone(&plug, Pull::Garbage).await,
        (Kind::Status, _) => refusal(app.face, &fault),
        (Kind::Stall, None) => {
            match fault.duration {
                Some(duration) => sleep(duration).await,
                None => std::future::pending().await,
            }
            next.run(request).await
        }
        (Kind::Error, _) => {
            let messages = path == "/v1/messages";
            let answer = next.run(request).await;
            if is_stream(&answer) {
                let last = last(&fault, messages);
                answer.map(|body| Body::new(Faulty::new(body, fault, plug, last)))
            } else {
                refusal(app.face, &fault)
            }
        }
        _ => next.run(request).await.map(|body| Body::new(Faulty::new(body, fault, plug, Bytes::new()))),
    }
}

pub async fn show(State(app): State<Arc<App>>) -> Json<Vec<Armed>> {
    Json(app.faults.shown())
}

/// Takes one fault or a list of them, all or none.
pub async fn arm(State(app): State<Arc<App>>, body: Bytes) -> Result<Json<Vec<Armed>>, Failure> {
    let refuse = |error: anyhow::Error| Failure::bad_request(format!("{error:#}"));
    let value: Value = serde_json::from_slice(&body).map_err(|error| refuse(error.into()))?;
    let list = match value {
        Value::Array(list) => list,
        one => vec![one],
    };
    let faults = list.into_iter().map(Fault::from_json).collect::<Result<_, _>>().map_err(refuse)?;
    app.faults.arm(faults, Instant::now()).map_err(refuse)?;
    Ok(Json(app.faults.shown()))
}

pub async fn clear(State(app): State<Arc<App>>) -> StatusCode {
    app.faults.clear();
    StatusCode::NO_CONTENT
}

fn is_stream(answer: &Response) -> bool {
    let kind = answer.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

/// The end of a stream whose engine died: what [`crate::wire`] writes when it does.
fn last(fault: &Fault, messages: bool) -> Bytes {
    let status = fault.status.and_then(|status| StatusCode::from_u16(status).ok());
    let failure = Failure::fault(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    failure.into_last_event(messages)
}

/// The connection ends before this can return.
async fn gone(plug: &Plug, pull: Pull) -> Response {
    plug.pull(pull);
    std::future::pending().await
}

/// In the engine's own words where it has some for the status.
fn refusal(face: Face, fault: &Fault) -> Response {
    let status = fault.status.and_then(|status| StatusCode::from_u16(status).ok());
    let failure = match status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR) {
        StatusCode::SERVICE_UNAVAILABLE => Failure::busy(face),
        status => Failure::fault(status),
    };
    let failure = match face {
        Face::Vllm => failure,
        Face::Sglang => failure.on_sglang(),
    };
    let retry_after = fault.retry_after.map(|seconds| (header::RETRY_AFTER, HeaderValue::from(seconds)));
    (HeaderMap::from_iter(retry_after), failure).into_response()
}

// === impl Faulty ===

impl Faulty {
    fn new(inner: Body, fault: Fault, plug: Plug, last: Bytes) -> Self {
        Self { inner, fault, plug, passed: 0, rest: Bytes::new(), asleep: None, stalled: false, last }
    }

    /// What happens instead of the next event; `Ready` if nothing does.
    fn happen(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.fault.after.is_none_or(|after| self.passed < after) {
            return Poll::Ready(());
        }
        match (self.fault.kind, self.fault.duration) {
            // The connection writes what it has before it looks at its plug.
            (Kind::Reset, _) => self.plug.pull(Pull::Reset),
            (Kind::Close, _) => self.plug.pull(Pull::Close),
            (Kind::Stall, Some(duration)) if !self.stalled => {
                let asleep = self.asleep.get_or_insert_with(|| Box::pin(sleep(duration)));
                ready!(asleep.as_mut().poll(context));
                self.asleep = None;
                self.stalled = true;
                return Poll::Ready(());
            }
            (Kind::Stall, None) => {}
            _ => return Poll::Ready(()),
        }
        Poll::Pending
    }

    /// The next bytes of an event that drips.
    fn drip(&mut self, context: &mut Context<'_>) -> Poll<Bytes> {
        if let Some(asleep) = &mut self.asleep {
            ready!(asleep.as_mut().poll(context));
        }
        let size = self.fault.bytes.unwrap_or(1).min(self.rest.len());
        self.asleep = Some(Box::pin(sleep(self.fault.every.unwrap_or(DEFAULT_DRIP))));
        Poll::Ready(self.rest.split_to(size))
    }
}

impl HttpBody for Faulty {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.fault.kind == Kind::NoKeepAlive {
            // The head is written before the body is asked for, so it does not say that this is the last answer.
            self.plug.pull(Pull::AfterAnswer);
        }
        if self.fault.kind == Kind::Error && self.passed >= self.fault.after.unwrap_or_default() {
            let last = std::mem::take(&mut self.last);
            // What was under way is let go, as by an engine that is dead.
            self.inner = Body::empty();
            return Poll::Ready((!last.is_empty()).then(|| Ok(Frame::data(last))));
        }
        ready!(self.happen(context));
        if self.rest.is_empty() {
            let frame = match ready!(Pin::new(&mut self.inner).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                other => return Poll::Ready(other),
            };
            self.passed += 1;
            match frame.into_data() {
                Ok(data) if self.fault.kind == Kind::Drip => self.rest = data,
                Ok(data) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
        self.drip(context).map(|data| Some(Ok(Frame::data(data))))
    }

    fn size_hint(&self) -> SizeHint {
        // What is still to drip is no longer in the inner body's.
        match self.inner.size_hint().exact() {
            Some(size) => SizeHint::with_exact(size + self.rest.len() as u64),
            None => SizeHint::new(),
        }
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        // An empty body may never be asked for.
        if self.fault.kind == Kind::NoKeepAlive {
            self.plug.pull(Pull::AfterAnswer);
        }
    }
}
