//! ext_proc, headers only: one message in, one out, and the stream's end is the request's end.
//!
//! Envoy keeps the stream open until the request is over, whatever ends it (the filter asks for response
//! trailers that never come), and then closes it. The request's ticket lives in the stream's state, so it
//! is released exactly once: by the end of the stream, by its reset, or by Envoy's death.

pub mod convert;

use crate::access_log::AccessLog;
use crate::otlp::{Asking, Otlp};
use crate::picker::{Picked, Picker, Ticket};
use crate::telemetry::{Stopwatch, Underway};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::{Json, Router, routing::get};
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::{
    ExternalProcessor, ExternalProcessorServer,
};
use envoy_types::pb::envoy::service::ext_proc::v3::{ProcessingRequest, ProcessingResponse};
use futures::{Stream, stream};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};

struct Service {
    picker: Arc<Picker>,
    otlp: Option<Arc<Otlp>>,
}

/// Everything that is served on the picker's socket: ext_proc, the access log service, and `/readyz` for Envoy's
/// listener. With `otlp`, picks leave spans.
pub fn routes(picker: Arc<Picker>, access_log: Arc<AccessLog>, otlp: Option<Arc<Otlp>>) -> Routes {
    let health = Router::new().route("/readyz", get(readyz)).with_state(Arc::clone(&picker));
    Routes::from(health)
        .add_service(ExternalProcessorServer::new(Service { picker, otlp }))
        .add_service(access_log.service())
}

async fn readyz(State(picker): State<Arc<Picker>>) -> impl IntoResponse {
    let (status, message) = match picker.ready() {
        true => (StatusCode::OK, "router is ready"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "router is not ready"),
    };
    (status, Json(serde_json::json!({ "message": message })))
}

/// One request's stream.
struct Exchange {
    picker: Arc<Picker>,
    requests: Streaming<ProcessingRequest>,
    ticket: Option<Ticket>,
    underway: Option<Underway>,
    /// `None` where no span is made.
    asking: Option<Asking>,
}

impl Exchange {
    async fn next(mut self) -> Option<(Result<ProcessingResponse, Status>, Self)> {
        loop {
            // An error is the other side going away: the request is over.
            let message = self.requests.message().await.ok()??;
            if let Some(answer) = self.answer(&message) {
                return Some((Ok(answer), self));
            }
        }
    }

    fn answer(&mut self, message: &ProcessingRequest) -> Option<ProcessingResponse> {
        let Some(asked) = convert::asked(message) else { return convert::pass(message) };
        let now = Instant::now();
        let began = self.asking.as_ref().map(|_| SystemTime::now());
        let live = self.picker.live();
        self.underway = Some(live.begin(asked.whereto(), now));
        let mut watch = Stopwatch::new(now);
        let random = || fastrand::u64(..);
        let picked =
            self.picker.pick_by_laps(&asked.request(), asked.key(), random, |lap| watch.lap(lap, Instant::now()));
        live.decided(asked.whereto().model, &watch);
        if let (Some(asking), Some(began)) = (&self.asking, began) {
            asking.picked(began, &asked.request(), &self.picker, picked.as_ref());
        }
        let (decision, answer) = match picked {
            Some(Picked { decision, ticket, destination, prefix }) => {
                self.ticket = ticket;
                if let Some(prefix) = prefix {
                    live.matched(asked.whereto().model, prefix, now);
                }
                let answer = match &decision.saturated {
                    Some(saturated) => convert::refusal(saturated, asked.shape()),
                    None => convert::destination(Some(destination).filter(|list| !list.is_empty())),
                };
                (Some(decision), answer)
            }
            None => (None, convert::destination(None)),
        };
        self.picker.decisions().remember(asked.into_record(decision));
        Some(answer)
    }
}

#[tonic::async_trait]
impl ExternalProcessor for Service {
    type ProcessStream = Pin<Box<dyn Stream<Item = Result<ProcessingResponse, Status>> + Send>>;

    async fn process(
        &self,
        request: Request<Streaming<ProcessingRequest>>,
    ) -> Result<Response<Self::ProcessStream>, Status> {
        let asking = self.otlp.as_ref().and_then(|otlp| otlp.asking(request.metadata()));
        let exchange = Exchange {
            picker: Arc::clone(&self.picker),
            requests: request.into_inner(),
            ticket: None,
            underway: None,
            asking,
        };
        Ok(Response::new(Box::pin(stream::unfold(exchange, Exchange::next))))
    }
}
