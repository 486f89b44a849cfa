//! Two requests to an engine, and answers that are read as they come.

use super::failure::Failure;
use super::{Target, tls};
use bytes::Bytes;
use http::header::{ACCEPT, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kthena_core::engine::{MetricsReader, Model, Reading, Transport, read_models};
use rustls::pki_types::ServerName;
use std::error::Error;
use std::time::Duration;

/// uvicorn closes an idle connection after 5 s; one that is older than this is not used again.
const IDLE: Duration = Duration::from_secs(4);

/// vLLM's page has 63 KB for one rank.
const MAX_METRICS: usize = 16 << 20;

/// A card of vLLM's has 450 bytes.
const MAX_MODELS: usize = 1 << 20;

/// A client of all engines that are spoken to alike; clones share its connections.
#[derive(Debug, Clone)]
pub(super) struct Fetcher {
    /// Why there is none is told to whoever asks.
    http: Result<Client<HttpsConnector<HttpConnector>, Empty<Bytes>>, String>,
}

// === impl Fetcher ===

impl Fetcher {
    pub(super) fn new(transport: &Transport) -> Self {
        let client = |connector| {
            Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE)
                .pool_max_idle_per_host(2)
                .build(connector)
        };
        Self { http: connector(transport).map(client) }
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
        let request = Request::get(format!("{}://{}{path}", target.transport.scheme(), target.address))
            .header(ACCEPT, "*/*")
            .header(USER_AGENT, "kthena-router")
            .body(Empty::new())
            .map_err(|error| Failure::Connect(error.to_string()))?;
        let http = self.http.as_ref().map_err(|error| Failure::Connect(error.clone()))?;
        let response = http.request(request).await.map_err(|error| Failure::Connect(chain(&error)))?;
        match response.status() {
            StatusCode::OK => Ok(response.into_body()),
            status => Err(Failure::Status(status.as_u16())),
        }
    }
}

/// One that speaks in the clear refuses `https`, and one that speaks TLS refuses `http`.
fn connector(transport: &Transport) -> Result<HttpsConnector<HttpConnector>, String> {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.enforce_http(transport.is_plain());
    let builder = HttpsConnectorBuilder::new().with_tls_config(tls::config(transport)?);
    let builder = if transport.is_plain() { builder.https_or_http() } else { builder.https_only() };
    let connector = match transport.trust() {
        None => builder.enable_http1(),
        Some(trust) => {
            let name = ServerName::try_from(trust.server_name.clone()).map_err(|error| error.to_string())?;
            builder.with_server_name_resolver(FixedServerNameResolver::new(name)).enable_http1()
        }
    };
    Ok(connector.wrap_connector(tcp))
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
