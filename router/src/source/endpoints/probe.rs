//! Asks an engine what it is.

use super::engine::{self, Engine, Kind, Listed};
use super::engine_url::EngineUrl;
use super::state::Trouble;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout, timeout_at};

/// How long the list of models, name look-up and connection included, may take; and how long each other question.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long one of several addresses of a name may take to connect.
const CONNECT: Duration = Duration::from_millis(500);
/// Of a host that is not there or whose network drops what we send: whoever is only busy takes the connection.
const NO_CONNECTION: &str = "timed out while connecting";
/// No answer that we need is longer; vLLM's metrics are 63 KB.
const LONGEST_ANSWER: usize = 4 << 20;

/// Asks one engine.
#[derive(Debug)]
pub(super) struct Probe {
    endpoint: EngineUrl,
    key: Option<HeaderValue>,
    patience: Duration,
    /// As it was found last: what is asked first is its address, and its kind is not changed by questions that fail.
    known: Option<Engine>,
    /// Whether that kind was told, and by an engine that has answered ever since: what comes back after a failure
    /// may be another.
    certain: bool,
}

/// No answer to a question.
struct Unanswered;

struct Answer {
    status: StatusCode,
    content_type: String,
    body: String,
}

// === impl Probe ===

impl Probe {
    /// `key` is sent as the bearer token; `known` is what was found there before.
    pub(super) fn new(endpoint: EngineUrl, key: Option<HeaderValue>, known: Option<Engine>) -> Self {
        let certain = known.as_ref().is_some_and(|known| known.kind != Kind::Other);
        Self { endpoint, key, patience: PATIENCE, known, certain }
    }

    /// What the engine serves. Its kind is asked for only if it is not known for certain, of the same models.
    pub(super) async fn ask(&mut self) -> Result<Engine, Trouble> {
        let found = self.look().await;
        self.certain = found.as_ref().is_ok_and(|(_, certain)| *certain);
        let (engine, _) = found?;
        self.known = Some(engine.clone());
        Ok(engine)
    }

    /// The engine, and whether its kind is certain.
    async fn look(&self) -> Result<(Engine, bool), Trouble> {
        let deadline = Instant::now() + self.patience;
        // Apart from the rest: who takes a connection is there, and only busy.
        let connected = timeout_at(deadline, self.connect()).await;
        let (address, stream) = connected.unwrap_or_else(|_| Err(Trouble::Connection(NO_CONNECTION.to_owned())))?;
        let answer = timeout_at(deadline, self.get(stream, "/v1/models")).await;
        let answer = answer.unwrap_or(Err(Trouble::Timeout(self.patience)))?;
        let Listed { models, owner, .. } = listed(&answer)?;
        let known = self.known.as_ref().filter(|known| known.models == models && known.address == address);
        let (kind, certain) = match known {
            Some(known) if self.certain => (known.kind, true),
            known => match self.kind(address, owner).await {
                Ok(kind) => (kind, true),
                Err(Unanswered) => (known.map_or(Kind::Other, |known| known.kind), false),
            },
        };
        Ok((Engine { address, kind, models }, certain))
    }

    /// By its metrics, as those are what will be read; or else by what only it has.
    async fn kind(&self, address: SocketAddr, owner: Option<Kind>) -> Result<Kind, Unanswered> {
        let metrics = self.text(address, "/metrics").await;
        if let Some(kind) = told(&metrics, Kind::of_metrics).or(owner) {
            return Ok(kind);
        }
        let info = self.text(address, "/get_model_info").await;
        if let Some(kind) = told(&info, Kind::of_model_info) {
            return Ok(kind);
        }
        let version = self.text(address, "/version").await;
        if let Some(kind) = told(&version, Kind::of_version) {
            return Ok(kind);
        }
        // Another, if it had its say.
        metrics.and(info).and(version).map(|_| Kind::Other)
    }

    /// The body; `None` for a page that it does not have.
    async fn text(&self, address: SocketAddr, path: &str) -> Result<Option<String>, Unanswered> {
        let asked = timeout(self.patience, async {
            let stream = TcpStream::connect(address).await.map_err(|_| Unanswered)?;
            self.get(stream, path).await.map_err(|_| Unanswered)
        });
        let Answer { status, body, .. } = asked.await.unwrap_or(Err(Unanswered))?;
        match status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            true => Err(Unanswered),
            false => Ok(status.is_success().then_some(body)),
        }
    }

    /// A connection to the host's first address that takes one: the one that did before, then IPv4.
    async fn connect(&self) -> Result<(SocketAddr, TcpStream), Trouble> {
        let known = self.known.as_ref().map(|known| known.address);
        let host = self.endpoint.host();
        let resolved = lookup_host((host, self.endpoint.port())).await;
        let mut addresses: Vec<_> =
            resolved.map_err(|error| Trouble::Connection(format!("host {host}: {error}")))?.collect();
        addresses.sort_by_key(|address| (Some(*address) != known, address.is_ipv6(), *address));
        addresses.dedup();
        let mut failed = None;
        let alone = addresses.len() == 1;
        for address in addresses {
            let connection = TcpStream::connect(address);
            // With one address there is nobody to hurry for.
            let limit = if alone { self.patience } else { CONNECT };
            match timeout(limit, connection).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok(stream) => return Ok((address, stream)),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        Err(Trouble::Connection(match failed {
            Some(error) if error.kind() == io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
            Some(error) if error.kind() == io::ErrorKind::TimedOut => NO_CONNECTION.to_owned(),
            Some(error) => error.to_string(),
            None => format!("host {host}: has no address"),
        }))
    }

    async fn get(&self, stream: TcpStream, path: &str) -> Result<Answer, Trouble> {
        let exchange = async {
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            let mut request = Request::get(path)
                .header(header::HOST, self.endpoint.authority())
                .header(header::ACCEPT, "*/*")
                .header(header::USER_AGENT, "kthena")
                .header(header::CONNECTION, "close");
            if let Some(key) = &self.key {
                request = request.header(header::AUTHORIZATION, key);
            }
            let request = request.body(Empty::<Bytes>::new())?;
            let answer = async {
                let (head, body) = sender.send_request(request).await?.into_parts();
                let body = Limited::new(body, LONGEST_ANSWER).collect().await?.to_bytes();
                let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
                let content_type = content_type.unwrap_or_default().to_owned();
                let body = String::from_utf8_lossy(&body).into_owned();
                Ok::<_, Box<dyn Error + Send + Sync>>(Answer { status: head.status, content_type, body })
            };
            let (answer, _) = tokio::join!(answer, connection);
            answer
        };
        exchange.await.map_err(|error| Trouble::Connection(format!("GET {path}: {error}")))
    }
}

fn told(text: &Result<Option<String>, Unanswered>, kind: impl Fn(&str) -> Option<Kind>) -> Option<Kind> {
    kind(text.as_ref().ok()?.as_deref()?)
}

fn listed(answer: &Answer) -> Result<Listed, Trouble> {
    let Answer { status, content_type, body } = answer;
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    let shown = if kind.is_empty() { status.to_string() } else { format!("{status} ({kind})") };
    match *status {
        StatusCode::OK => match engine::models(body) {
            Some(listed) if listed.of_a_router => Err(Trouble::Router),
            Some(listed) if listed.models.is_empty() => Err(Trouble::NoModel),
            Some(listed) => Ok(listed),
            None => Err(Trouble::NotAnEngine(format!("{shown} without a list of models"))),
        },
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Trouble::Key(status.as_u16())),
        // An engine that starts or has too much to do.
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => Err(Trouble::Failing(shown)),
        _ => Err(Trouble::NotAnEngine(shown)),
    }
}

#[cfg(test)]
mod tests;
