//! Engines that answer at once: as lean as may be, since all sides share the processors.
//!
//! They run in a process of their own, whose account is nobody's cost, and count what they are asked.

use crate::{Client, Loopback, page, spawn};
use anyhow::Context;
use bytes::Bytes;
use futures::stream::unfold;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::convert::Infallible;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep_until};

/// Their process; dropping it ends it.
#[derive(Debug)]
pub struct Engines {
    process: Child,
    addresses: Vec<String>,
}

/// What they were asked so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Chats that were answered in one piece.
    pub requests: u64,
    /// Chunks of streams.
    pub chunks: u64,
    /// Streams that go on.
    pub streams: u64,
}

/// All engines' together.
#[derive(Debug, Default)]
struct Counters {
    requests: AtomicU64,
    chunks: AtomicU64,
    streams: AtomicU64,
}

/// One of them.
#[derive(Debug)]
struct Engine {
    counters: Arc<Counters>,
    /// Its own streams that go on: what it says that it runs.
    running: AtomicU64,
    pace: Duration,
    /// Its page of metrics around the number of requests that it runs.
    metrics: [Bytes; 2],
}

/// A stream that goes on, for as long as it lives.
struct Going(Arc<Engine>);

const PORT: u16 = 8000;

/// A number that stands nowhere else on a page of metrics.
const RUNNING: u32 = 918_273;

/// Where [`Counts`] are.
const COUNTS: &str = "/counts";

/// Bodies up to this size are read, for they may ask for a stream.
const READ: u64 = 4096;

const ANSWER: &str = r#"{"id":"chatcmpl-8f0c1e6d5a7b4b0e9a3c2f1d0e9b8a7c","object":"chat.completion","created":1795254251,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Each request goes to the endpoint that holds most of its prefix, as long as there is room; \"room\" is what its queue says.\n\nThe rest share the load.","refusal":null,"tool_calls":[]},"logprobs":null,"finish_reason":"stop","stop_reason":null}],"usage":{"prompt_tokens":212,"total_tokens":249,"completion_tokens":37,"prompt_tokens_details":null},"prompt_logprobs":null}"#;

const CHUNK: &str = "data: {\"id\":\"chatcmpl-8f0c1e6d5a7b4b0e9a3c2f1d0e9b8a7c\",\"object\":\"chat.completion.chunk\",\"created\":1795254251,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" endpoint\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n";

const LAST: &str = "data: {\"id\":\"chatcmpl-8f0c1e6d5a7b4b0e9a3c2f1d0e9b8a7c\",\"object\":\"chat.completion.chunk\",\"created\":1795254251,\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":212,\"total_tokens\":249,\"completion_tokens\":37}}\n\ndata: [DONE]\n\n";

/// No answer is longer: a stream without `max_tokens` is.
const TOKENS: u64 = 1 << 20;

// === impl Engines ===

impl Engines {
    /// Starts so many of them, by a program whose `engines N MS` runs [`serve`].
    ///
    /// # Errors
    /// They do not start.
    pub fn start(program: &Path, count: usize, pace: Duration) -> anyhow::Result<Self> {
        let process = spawn(program, |command| {
            command.arg("engines").arg(count.to_string()).arg(pace.as_millis().to_string());
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        });
        // Dropping it ends the process, also on an error.
        let mut engines = Self { process, addresses: Vec::new() };
        let lines = BufReader::new(engines.process.stdout.take().context("a pipe")?).lines();
        engines.addresses = lines.take(count).collect::<Result<_, _>>()?;
        anyhow::ensure!(engines.addresses.len() == count, "the engines ended at their start");
        Ok(engines)
    }

    /// Their addresses, each without the port.
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// What they were asked so far.
    ///
    /// # Errors
    /// They are gone.
    pub async fn counts(&self) -> anyhow::Result<Counts> {
        let first = self.addresses.first().context("an engine")?;
        let page = Client::new(format!("{first}:{PORT}").parse()?).try_get(COUNTS).await?;
        let numbers: Vec<u64> = page.text().split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let &[requests, chunks, streams] = numbers.as_slice() else { anyhow::bail!("counts: {}", page.text()) };
        Ok(Counts { requests, chunks, streams })
    }
}

impl Drop for Engines {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// So many engines, each at an address of its own, which is printed, and with so long a pause between two chunks of a
/// stream; until the process ends.
///
/// # Errors
/// An address cannot be listened at.
pub async fn serve(count: usize, pace: Duration) -> anyhow::Result<()> {
    let counters = Arc::new(Counters::default());
    let page = page::vllm(RUNNING, 0);
    let (before, after) = page.split_once(&RUNNING.to_string()).context("a page with a number on it")?;
    let metrics = [before, after].map(|part| Bytes::from(part.to_owned()));
    let mut claims = Vec::new();
    for _ in 0..count {
        let claim = Loopback::claim(&[PORT]);
        let listener = TcpListener::bind(claim.at(PORT)).await?;
        println!("{}", claim.ip());
        claims.push(claim);
        let (counters, metrics) = (Arc::clone(&counters), metrics.clone());
        let engine = Arc::new(Engine { counters, running: AtomicU64::new(0), pace, metrics });
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                // Chunks go out one by one.
                let _ = connection.set_nodelay(true);
                let engine = Arc::clone(&engine);
                let answer = service_fn(move |request| {
                    let engine = Arc::clone(&engine);
                    async move { Ok::<_, Infallible>(answer(request, engine).await) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(connection), answer));
            }
        });
    }
    std::future::pending().await
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

async fn answer(request: Request<Incoming>, engine: Arc<Engine>) -> Response<Body> {
    match request.uri().path() {
        "/metrics" => whole("text/plain", engine.metrics()),
        "/v1/models" => whole("application/json", Bytes::from_static(br#"{"object":"list","data":[{"id":"m"}]}"#)),
        COUNTS => {
            let counters = &engine.counters;
            let all = [&counters.requests, &counters.chunks, &counters.streams].map(|count| count.load(Relaxed));
            whole("text/plain", all.map(|count| count.to_string()).join(" ").into())
        }
        _ => chat(request, engine).await,
    }
}

async fn chat(request: Request<Incoming>, engine: Arc<Engine>) -> Response<Body> {
    let length = request.headers().get("content-length").and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let mut body = request.into_body();
    if length.is_some_and(|length| length > READ) {
        while let Some(Ok(_)) = body.frame().await {}
    } else {
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        if body["stream"] == true {
            return stream(body["max_tokens"].as_u64().unwrap_or(TOKENS), engine);
        }
    }
    engine.counters.requests.fetch_add(1, Relaxed);
    whole("application/json", Bytes::from_static(ANSWER.as_bytes()))
}

fn whole(kind: &'static str, body: Bytes) -> Response<Body> {
    let mut answer = Response::new(Full::new(body).boxed_unsync());
    answer.headers_mut().insert("content-type", http::HeaderValue::from_static(kind));
    answer
}

/// Streams begin at odd moments, so that their chunks do not come all at once.
fn stream(tokens: u64, engine: Arc<Engine>) -> Response<Body> {
    engine.counters.streams.fetch_add(1, Relaxed);
    engine.running.fetch_add(1, Relaxed);
    let pace = engine.pace;
    let begin = Instant::now() + pace.mul_f64(fastrand::f64());
    let chunks = unfold((Going(engine), 0, begin), move |(going, sent, due)| async move {
        if sent > tokens {
            return None;
        }
        sleep_until(due).await;
        going.0.counters.chunks.fetch_add(1, Relaxed);
        let chunk = Bytes::from_static(if sent == tokens { LAST } else { CHUNK }.as_bytes());
        Some((Ok(Frame::data(chunk)), (going, sent + 1, due + pace)))
    });
    let mut answer = Response::new(StreamBody::new(chunks).boxed_unsync());
    answer.headers_mut().insert("content-type", http::HeaderValue::from_static("text/event-stream; charset=utf-8"));
    answer
}

// === impl Engine ===

impl Engine {
    fn metrics(&self) -> Bytes {
        let [before, after] = &self.metrics;
        let running = self.running.load(Relaxed).to_string();
        [before.as_ref(), running.as_bytes(), after.as_ref()].concat().into()
    }
}

// === impl Going ===

impl Drop for Going {
    fn drop(&mut self) {
        self.0.counters.streams.fetch_sub(1, Relaxed);
        self.0.running.fetch_sub(1, Relaxed);
    }
}
