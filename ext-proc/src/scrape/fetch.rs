//! Two requests to an engine, and answers that are read as they come.

use super::Target;
use super::failure::Failure;
use bytes::Bytes;
use http::header::{ACCEPT, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kthena_core::engine::{MetricsReader, Model, Reading, read_models};
use std::error::Error;
use std::time::Duration;

/// uvicorn closes an idle connection after 5 s; one that is older than this is not used again.
const IDLE: Duration = Duration::from_secs(4);

/// vLLM's page has 63 KB for one rank.
const MAX_METRICS: usize = 16 << 20;

/// A card of vLLM's has 450 bytes.
const MAX_MODELS: usize = 1 << 20;

/// A client of all engines; clones share its connections.
#[derive(Debug, Clone)]
pub(super) struct Fetcher {
    http: Client<HttpConnector, Empty<Bytes>>,
}

// === impl Fetcher ===

impl Fetcher {
    pub(super) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let http = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(2)
            .build(connector);
        Self { http }
    }

    /// What the page of metrics says.
    pub(super) async fn metrics(&self, target: &Target) -> Result<Reading, Failure> {
        let mut reader = MetricsReader::new(target.engine);
        self.get(target, "/metrics", MAX_METRICS, |chunk| reader.feed(chunk)).await?;
        Ok(reader.finish())
    }

    /// What is served.
    pub(super) async fn models(&self, target: &Target) -> Result<Vec<Model>, Failure> {
        let mut body = Vec::new();
        self.get(target, "/v1/models", MAX_MODELS, |chunk| body.extend_from_slice(chunk)).await?;
        read_models(&body).map_err(|error| Failure::Foreign(error.to_string()))
    }

    async fn get(&self, target: &Target, path: &str, most: usize, mut each: impl FnMut(&[u8])) -> Result<(), Failure> {
        let mut body = self.open(target, path).await?;
        let mut read = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Failure::Body(chain(&error)))?;
            let Some(chunk) = frame.data_ref() else { continue };
            read += chunk.len();
            if read > most {
                return Err(Failure::TooLarge);
            }
            each(chunk);
        }
        Ok(())
    }

    async fn open(&self, target: &Target, path: &str) -> Result<Incoming, Failure> {
        let request = Request::get(format!("http://{}{path}", target.address))
            .header(ACCEPT, "*/*")
            .header(USER_AGENT, "kthena-router")
            .body(Empty::new())
            .map_err(|error| Failure::Connect(error.to_string()))?;
        let response = self.http.request(request).await.map_err(|error| Failure::Connect(chain(&error)))?;
        match response.status() {
            StatusCode::OK => Ok(response.into_body()),
            status => Err(Failure::Status(status.as_u16())),
        }
    }
}

/// hyper's errors say what failed, and their sources why.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
