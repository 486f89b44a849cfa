//! Load: so many clients, each with a connection of its own that it keeps, each asking again once it has its answer.
//!
//! That is a closed loop. An open one (so many requests a second, come what may) tells more truly how long clients
//! wait when everything slows down, but where load, Envoy and engines share two processors it would measure how deep
//! a queue grew. What is counted here first is what is lost, and for that both will do.

use super::reader::{End, Reader};
use super::tally::{Outcome, Tally};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How much is asked, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// Clients, so requests at a time.
    pub clients: u64,
    /// At least so many requests,
    pub requests: u64,
    /// for at least so long.
    pub at_least: Duration,
    /// Tokens of each answer.
    pub tokens: u32,
}

/// What has happened so far; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    begun: Arc<AtomicU64>,
    ended: Arc<AtomicU64>,
    not_served: Arc<AtomicU64>,
}

/// One client.
struct Client {
    address: SocketAddr,
    model: &'static str,
    sender: Option<SendRequest<Full<Bytes>>>,
}

/// Longer than anything that is healthy here keeps a client waiting, however busy the machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two tries to connect.
const PAUSE: Duration = Duration::from_millis(20);

/// Clients do not all come in the same moment.
const ARRIVAL: Duration = Duration::from_millis(1);

/// What follows a number that is the request's own, so that no two prompts begin alike: the picker's index of prompts
/// fills in seconds, and is not taken for memory that grows.
const PROMPT: &str = include_str!("prompt.txt");

/// Every so manieth request wants its answer in one piece.
const WHOLE: u64 = 10;

// === impl Progress ===

impl Progress {
    /// Requests that have ended, and those of them that were not served whole.
    pub fn seen(&self) -> (u64, u64) {
        (self.ended.load(Ordering::Relaxed), self.not_served.load(Ordering::Relaxed))
    }
}

/// Asks until there has been enough, and says what became of it.
pub async fn load(address: SocketAddr, model: &'static str, spec: Spec, progress: &Progress) -> Tally {
    let start = Instant::now();
    let mut clients = JoinSet::new();
    for number in 0..spec.clients {
        let progress = progress.clone();
        clients.spawn(async move {
            sleep(ARRIVAL * u32::try_from(number).unwrap_or_default()).await;
            let mut client = Client { address, model, sender: None };
            let mut tally = Tally::default();
            loop {
                let turn = progress.begun.fetch_add(1, Ordering::Relaxed);
                if turn >= spec.requests && start.elapsed() >= spec.at_least {
                    return tally;
                }
                let outcome = client.ask(turn, spec.tokens).await;
                progress.ended.fetch_add(1, Ordering::Relaxed);
                progress.not_served.fetch_add(u64::from(!matches!(outcome, Outcome::Served(_))), Ordering::Relaxed);
                tally.add(outcome);
            }
        });
    }
    let mut all = Tally::default();
    while let Some(tally) = clients.join_next().await {
        all.merge(tally.expect("a client does not panic"));
    }
    all
}

// === impl Client ===

impl Client {
    async fn ask(&mut self, turn: u64, tokens: u32) -> Outcome {
        let start = Instant::now();
        let streamed = !turn.is_multiple_of(WHOLE);
        let answer = match timeout(PATIENCE, self.answer(turn, tokens, streamed)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                self.sender = None;
                return Outcome::NoConnection(told(&error));
            }
            Err(_) => {
                self.sender = None;
                return Outcome::Hung(false);
            }
        };
        let reader = if streamed { Reader::of_stream(tokens) } else { Reader::of_whole(tokens) };
        match self.read(answer, reader, start).await {
            // The first byte of an answer in one piece comes with its last token.
            Outcome::Served(_) if !streamed => Outcome::Served(None),
            outcome => outcome,
        }
    }

    async fn answer(&mut self, turn: u64, tokens: u32, streamed: bool) -> hyper::Result<Response<Incoming>> {
        let body = format!(
            r#"{{"model":"{}","messages":[{{"role":"user","content":"{turn:08}:{PROMPT}"}}],"max_tokens":{tokens},"stream":{streamed}}}"#,
            self.model
        );
        let request = Request::post("/v1/chat/completions")
            .header("host", "chaos")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .expect("a request");
        self.connected().await?.send_request(request).await
    }

    /// The connection; a new one where there is none. While nobody listens, a client tries again, as clients do.
    async fn connected(&mut self) -> hyper::Result<&mut SendRequest<Full<Bytes>>> {
        if let Some(sender) = &mut self.sender
            && sender.ready().await.is_err()
        {
            self.sender = None;
        }
        match &mut self.sender {
            Some(sender) => Ok(sender),
            empty => {
                let connection = loop {
                    match TcpStream::connect(self.address).await {
                        Ok(connection) => break connection,
                        Err(_) => sleep(PAUSE).await,
                    }
                };
                // What it is about goes out at once, however small.
                let _ = connection.set_nodelay(true);
                let (sender, connection) = http1::handshake(TokioIo::new(connection)).await?;
                tokio::spawn(connection);
                Ok(empty.insert(sender))
            }
        }
    }

    async fn read(&mut self, answer: Response<Incoming>, mut reader: Reader, start: Instant) -> Outcome {
        let status = answer.status().as_u16();
        let mut body = answer.into_body();
        let mut first = None;
        let mut said = Vec::new();
        loop {
            let data = match timeout(PATIENCE, body.frame()).await {
                Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
                Ok(Some(Err(_))) => {
                    self.sender = None;
                    return Outcome::EndedWithError;
                }
                Ok(None) => break,
                Err(_) => {
                    self.sender = None;
                    return Outcome::Hung(true);
                }
            };
            if status != 200 {
                said.extend_from_slice(data.get(..data.len().min(200)).unwrap_or_default());
                continue;
            }
            reader.feed(&data);
            if first.is_none() && reader.has_begun() {
                first = Some(start.elapsed());
            }
        }
        match (status, reader.end(), first) {
            (200, End::Whole, ttft) => Outcome::Served(ttft),
            (200, End::Error, _) => Outcome::EndedWithError,
            (200, ..) => Outcome::CutSilently,
            _ => Outcome::Refused(status, String::from_utf8_lossy(&said).trim().to_owned()),
        }
    }
}

/// With the cause, which hyper keeps to itself.
fn told(error: &hyper::Error) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.unwrap_or_default())
}
