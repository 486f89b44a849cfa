//! An HTTP client, as plain as the ones that people write.

use crate::speaks::{Body, Http};
use crate::{Answer, Speaks, Stream};
use anyhow::Context;
use bytes::Bytes;
use futures::stream;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

/// A client of one address that keeps connections alive; clones share them.
///
/// It belongs to the runtime (the test) that first uses it.
#[derive(Debug, Clone)]
pub struct Client {
    address: SocketAddr,
    scheme: &'static str,
    http: Http,
}

/// A chat with `model` that asks for a few tokens; no two have a prompt in common, which would draw them together.
pub fn chat(model: &str) -> Value {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    let question = format!("{:06}: where does this go?", ASKED.fetch_add(1, Ordering::Relaxed));
    json!({"model": model, "messages": [{"role": "user", "content": question}], "max_tokens": 4})
}

/// A streamed chat with `model` of that many tokens.
pub fn streamed(model: &str, tokens: u32) -> Value {
    let mut body = chat(model);
    body["stream"] = true.into();
    body["max_tokens"] = tokens.into();
    body
}

// === impl Client ===

impl Client {
    /// A client of this address.
    pub fn new(address: SocketAddr) -> Self {
        Self::that_speaks(Speaks::Http1, address)
    }

    /// A client of this address that speaks otherwise than most.
    pub fn that_speaks(speaks: Speaks<'_>, address: SocketAddr) -> Self {
        Self { address, scheme: speaks.scheme(), http: speaks.client() }
    }

    /// Whom it asks.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `GET path`.
    ///
    /// # Panics
    /// As all but the `try_` methods: without a whole answer.
    pub async fn get(&self, path: &str) -> Answer {
        self.try_get(path).await.expect("an answer")
    }

    /// `GET path`.
    ///
    /// # Errors
    /// No whole answer came.
    pub async fn try_get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(Method::GET, path, &[], Full::default().boxed_unsync()).await
    }

    /// `GET path` with headers.
    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(Method::GET, path, headers, Full::default().boxed_unsync()).await.expect("an answer")
    }

    /// Puts a body.
    pub async fn put(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        self.send(Method::PUT, path, headers, Full::new(body.into()).boxed_unsync()).await.expect("an answer")
    }

    /// A request without a body, whatever its method.
    pub async fn bare(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(method, path, headers, Full::default().boxed_unsync()).await.expect("an answer")
    }

    /// A chat with `model`.
    pub async fn chat(&self, model: &str) -> Answer {
        self.post("/v1/chat/completions", &[], chat(model).to_string()).await
    }

    /// A chat with `model`.
    ///
    /// # Errors
    /// No whole answer came.
    pub async fn try_chat(&self, model: &str) -> anyhow::Result<Answer> {
        self.try_post("/v1/chat/completions", &[], chat(model).to_string()).await
    }

    /// A chat with `model` and headers.
    pub async fn chat_with(&self, model: &str, headers: &[(&str, &str)]) -> Answer {
        self.post("/v1/chat/completions", headers, chat(model).to_string()).await
    }

    /// Posts a body of announced length.
    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        self.try_post(path, headers, body).await.expect("an answer")
    }

    /// Posts a body of announced length.
    ///
    /// # Errors
    /// No whole answer came.
    pub async fn try_post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> anyhow::Result<Answer> {
        self.send(Method::POST, path, headers, Full::new(body.into()).boxed_unsync()).await
    }

    /// Posts a body chunk by chunk, its length unannounced.
    pub async fn post_chunks(&self, path: &str, headers: &[(&str, &str)], chunks: Vec<Bytes>) -> Answer {
        self.try_post_chunks(path, headers, chunks).await.expect("an answer")
    }

    /// Posts a body chunk by chunk, its length unannounced.
    ///
    /// # Errors
    /// No whole answer came.
    pub async fn try_post_chunks(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        chunks: Vec<Bytes>,
    ) -> anyhow::Result<Answer> {
        let frames = chunks.into_iter().map(|chunk| Ok(Frame::data(chunk)));
        let body = StreamBody::new(stream::iter(frames)).boxed_unsync();
        self.send(Method::POST, path, headers, body).await
    }

    /// Posts a request whose answer is read as it comes.
    ///
    /// # Errors
    /// No answer's headers came.
    pub async fn stream(&self, path: &str, body: &Value) -> anyhow::Result<Stream> {
        let body = Full::new(Bytes::from(body.to_string())).boxed_unsync();
        Ok(Stream::new(self.open(Method::POST, path, &[], body).await?))
    }

    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> anyhow::Result<Answer> {
        Answer::read(self.open(method, path, headers, body).await?).await
    }

    async fn open(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> anyhow::Result<Response<Incoming>> {
        let mut request = Request::builder().method(&method).uri(format!("{}://{}{path}", self.scheme, self.address));
        if method == Method::POST && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).context("a request")?;
        self.http.request(request).await.with_context(|| format!("{method} {path}"))
    }
}
