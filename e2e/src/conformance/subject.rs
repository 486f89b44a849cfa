//! One engine, seen from one place.

use super::{Facts, Page};
use crate::{Answer, Client, Stream, until};
use serde_json::{Value, json};
use std::sync::Arc;

/// What a case asks, and what it may know.
#[derive(Clone)]
pub(super) struct Subject {
    /// Where requests go: to the engine, or to Envoy before it.
    pub(super) front: Client,
    /// The engine itself: its metrics, its adapters.
    pub(super) engine: Client,
    /// The router's debug port.
    pub(super) router: Client,
    pub(super) facts: Arc<Facts>,
}

pub(super) const CHAT: &str = "/v1/chat/completions";
pub(super) const COMPLETIONS: &str = "/v1/completions";

/// `base` with the fields of `more`; null takes a field away.
pub(super) fn with(mut base: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("not an object: {more}") };
    let fields = base.as_object_mut().expect("an object");
    for (name, value) in more {
        match value {
            Value::Null => fields.remove(&name),
            value => fields.insert(name, value),
        };
    }
    base
}

// === impl Subject ===

impl Subject {
    /// A chat of three tokens, always the same ones.
    pub(super) fn chat_body(&self, more: Value) -> Value {
        let base = json!({
            "model": self.facts.model, "messages": [{"role": "user", "content": "Where does this go?"}],
            "max_tokens": 3, "ignore_eos": true, "temperature": 0,
        });
        with(base, more)
    }

    /// A completion of three tokens, always the same ones.
    pub(super) fn completion_body(&self, more: Value) -> Value {
        let base = json!({
            "model": self.facts.model, "prompt": "import os", "max_tokens": 3, "ignore_eos": true, "temperature": 0,
        });
        with(base, more)
    }

    /// A chat with these fields in place of the usual ones.
    pub(super) async fn chat(&self, more: Value) -> Answer {
        self.front.post(CHAT, &[], self.chat_body(more).to_string()).await
    }

    /// A completion with these fields in place of the usual ones.
    pub(super) async fn complete(&self, more: Value) -> Answer {
        self.front.post(COMPLETIONS, &[], self.completion_body(more).to_string()).await
    }

    /// A stream as long as the context allows; it has begun when this returns.
    pub(super) async fn long_stream(&self) -> Stream {
        let stream = self.front.stream(COMPLETIONS, &self.long_body(true)).await.expect("an answer");
        assert_eq!(stream.status, 200);
        stream
    }

    /// A completion as long as the context allows.
    pub(super) fn long_body(&self, stream: bool) -> Value {
        self.completion_body(json!({"max_tokens": self.facts.max_model_len - 100, "stream": stream}))
    }

    /// A GET; Envoy needs to be told which engine it is for.
    pub(super) async fn get(&self, path: &str) -> Answer {
        self.front.get_with(path, &[("x-kthena-model", self.facts.model)]).await
    }

    /// The engine's metrics.
    pub(super) async fn page(&self) -> Page {
        Page::parse(self.engine.get("/metrics").await.ok().text())
    }

    /// Waits until the engine's metrics are as wanted.
    pub(super) async fn metrics_until(&self, what: &str, wanted: impl Fn(&Page) -> bool) -> Page {
        until(what, async || Some(self.page().await).filter(&wanted)).await
    }

    /// Waits until no request is in the engine.
    pub(super) async fn idle(&self) -> Page {
        let idle = |page: &Page| page.gauge("num_requests_running") + page.gauge("num_requests_waiting") == 0.0;
        self.metrics_until("an idle engine", idle).await
    }

    /// `{"error":{...}}` with this status, byte for byte.
    #[track_caller]
    pub(super) fn assert_refused(answer: &Answer, status: u16, kind: &str, param: Option<&str>, message: &str) {
        let (message, param) = (json!(message), json!(param));
        let body = format!(r#"{{"error":{{"message":{message},"type":"{kind}","param":{param},"code":{status}}}}}"#);
        assert_eq!((answer.status, answer.text()), (status, body.as_str()));
        assert_eq!(answer.header("content-type"), "application/json");
    }
}
