//! A picker of the test's: it answers what it is told to, right or wrong.

use axum::Router;
use axum::extract::{Request, State};
use axum::routing::post;
use bytes::{Buf, BufMut, Bytes};
use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::service::ext_proc::v3::{
    BodyResponse, CommonResponse, HeaderMutation, HeadersResponse, ImmediateResponse, ProcessingRequest,
    ProcessingResponse, processing_request, processing_response::Response as Answered,
};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use futures::{Stream, StreamExt, stream};
use prost::Message;
use std::fs;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, StreamingService};
use tonic::service::Routes;
use tonic::{Response, Status, Streaming};

/// What a picker says to every request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The list of endpoints, whatever it holds.
    Destination(String),
    /// Nothing, ever.
    Silence,
    /// The same, later.
    After(Duration, Box<Answer>),
    /// These headers, set over whatever is there.
    Headers(Vec<(&'static str, String)>),
    /// An answer to the client, past every engine.
    Immediate(u32),
    /// An answer to a question that was not asked: to a body.
    Other,
    /// Bytes in a gRPC frame that are no message.
    Garbage(&'static [u8]),
    /// The end of the stream with an error.
    Refuse,
}

/// A picker that a test started; dropping it ends it, connections and all.
#[derive(Debug)]
pub struct FakePicker {
    answer: Arc<Mutex<Answer>>,
    asked: Arc<AtomicU64>,
    question: Arc<Mutex<ProcessingRequest>>,
    thread: Option<thread::JoinHandle<()>>,
    shutdown: Option<oneshot::Sender<()>>,
}

#[derive(Clone)]
struct Service {
    answer: Arc<Mutex<Answer>>,
    asked: Arc<AtomicU64>,
    question: Arc<Mutex<ProcessingRequest>>,
}

// === impl FakePicker ===

impl FakePicker {
    pub(crate) fn start(socket: &Path, answer: Answer) -> Self {
        let asked = Arc::<AtomicU64>::default();
        let question = Arc::<Mutex<ProcessingRequest>>::default();
        let answer = Arc::new(Mutex::new(answer));
        let service =
            Service { answer: Arc::clone(&answer), asked: Arc::clone(&asked), question: Arc::clone(&question) };
        let _ = fs::remove_file(socket);
        let listener = std::os::unix::net::UnixListener::bind(socket).expect("a socket");
        listener.set_nonblocking(true).expect("a socket that does not block");
        let (shutdown, ended) = oneshot::channel::<()>();
        let serve = async move {
            let incoming = UnixListenerStream::new(UnixListener::from_std(listener).expect("a socket"));
            let path = "/envoy.service.ext_proc.v3.ExternalProcessor/Process";
            let routes = Routes::from(Router::new().route(path, post(process)).with_state(service));
            let mut server = tonic::transport::Server::builder().max_concurrent_streams(u32::MAX);
            tokio::select! {
                served = server.add_routes(routes).serve_with_incoming(incoming) => served.expect("it is served"),
                // As a kill would: no goodbye to anyone.
                _ = ended => {}
            }
        };
        let thread = thread::spawn(move || {
            Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(serve);
        });
        Self { answer, asked, question, thread: Some(thread), shutdown: Some(shutdown) }
    }

    /// What it says from now on.
    pub fn says(&self, answer: Answer) {
        *self.answer.lock().expect("nobody panics with it") = answer;
    }

    /// How many requests it was asked about.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Acquire)
    }

    /// A header of the request that it was asked about last.
    pub fn header(&self, name: &str) -> Option<String> {
        let question = self.question.lock().expect("nobody panics with it");
        let Some(processing_request::Request::RequestHeaders(headers)) = &question.request else { return None };
        let header = headers.headers.iter().flat_map(|map| &map.headers).find(|header| header.key == name)?;
        Some(String::from_utf8_lossy(&header.raw_value).into_owned())
    }
}

impl Drop for FakePicker {
    fn drop(&mut self) {
        drop(self.shutdown.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

// === impl Answer ===

impl Answer {
    /// That list of endpoints.
    pub fn destination(list: impl ToString) -> Self {
        Self::Destination(list.to_string())
    }

    /// The frame that goes out; `None` for none.
    async fn frame(&self) -> Option<Result<Bytes, Status>> {
        let answered = match self {
            Self::Destination(list) => headers(&[("x-gateway-destination-endpoint", list.clone())]),
            Self::Headers(set) => headers(set),
            Self::Silence => return None,
            Self::After(pause, then) => {
                tokio::time::sleep(*pause).await;
                return Box::pin(then.frame()).await;
            }
            Self::Immediate(code) => Answered::ImmediateResponse(ImmediateResponse {
                status: Some(HttpStatus { code: *code as i32 }),
                body: b"from the picker".to_vec(),
                ..Default::default()
            }),
            Self::Other => Answered::RequestBody(BodyResponse::default()),
            Self::Garbage(bytes) => return Some(Ok(Bytes::from_static(bytes))),
            Self::Refuse => return Some(Err(Status::internal("the picker refuses"))),
        };
        let message = ProcessingResponse { response: Some(answered), ..Default::default() };
        Some(Ok(message.encode_to_vec().into()))
    }
}

fn headers(set: &[(&str, String)]) -> Answered {
    let option = |(name, value): &(&str, String)| HeaderValueOption {
        header: Some(HeaderValue {
            key: (*name).to_owned(),
            raw_value: value.clone().into_bytes(),
            ..Default::default()
        }),
        append_action: 2, // OVERWRITE_IF_EXISTS_OR_ADD
        ..Default::default()
    };
    let mutation = HeaderMutation { set_headers: set.iter().map(option).collect(), ..Default::default() };
    let response = CommonResponse { header_mutation: Some(mutation), ..Default::default() };
    Answered::RequestHeaders(HeadersResponse { response: Some(response) })
}

type Frames = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

async fn process(State(service): State<Service>, request: Request) -> http::Response<tonic::body::Body> {
    Grpc::new(Raw).streaming(service, request.map(tonic::body::Body::new)).await
}

impl StreamingService<Bytes> for Service {
    type Response = Bytes;
    type ResponseStream = Frames;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Frames>, Status>> + Send>>;

    /// One answer to the first message; the stream stays open until Envoy ends it.
    fn call(&mut self, request: tonic::Request<Streaming<Bytes>>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            let frames = stream::unfold((request.into_inner(), service), async |(mut questions, service)| {
                loop {
                    let question = questions.message().await.ok()??;
                    if let (Ok(question), Ok(mut last)) = (ProcessingRequest::decode(question), service.question.lock())
                    {
                        *last = question;
                    }
                    service.asked.fetch_add(1, Ordering::AcqRel);
                    let answer = service.answer.lock().expect("nobody panics with it").clone();
                    if let Some(frame) = answer.frame().await {
                        return Some((frame, (questions, service)));
                    }
                }
            });
            Ok(Response::new(frames.boxed()))
        })
    }
}

/// Frames as bytes, so that what goes out need not be a message.
#[derive(Debug, Default, Clone)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
