//! An engine that serves chats and says of its load what a test wants it to say.

use crate::{Engine, page};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use serde_json::json;
use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// What it does when it is asked for its metrics.
#[derive(Debug, Clone)]
pub enum Says {
    /// Requests that run and that wait.
    Busy(u32, u32),
    /// As many running as it holds in truth.
    Truth,
    /// That it is asleep.
    Asleep,
    /// Nothing: 500.
    Nothing,
    /// Nothing, and keeps the connection.
    Hangs,
}

/// The engine; dropping it ends it.
#[derive(Debug)]
pub struct Scripted {
    engine: Engine,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    name: &'static str,
    says: Mutex<Says>,
    held: watch::Sender<bool>,
    chats: watch::Sender<u32>,
}

// === impl Scripted ===

impl Scripted {
    /// An idle one; `x-simulator` says its name.
    pub fn new(name: &'static str) -> Self {
        let says = Mutex::new(Says::Busy(0, 0));
        let state = State { name, says, held: watch::Sender::new(false), chats: watch::Sender::new(0) };
        let state = Arc::new(state);
        let shared = Arc::clone(&state);
        let engine = Engine::serving(move |request| {
            let state = Arc::clone(&shared);
            async move { state.answer(&request).await }
        });
        Self { engine, state }
    }

    /// The address without its port.
    pub fn ip(&self) -> String {
        self.engine.ip()
    }

    /// What it says from now on.
    pub fn says(&self, says: Says) {
        *self.state.says.lock().unwrap_or_else(PoisonError::into_inner) = says;
    }

    /// Whether chats wait for their answer from now on; those that wait are answered when it ends.
    pub fn holds(&self, held: bool) {
        self.state.held.send_replace(held);
    }

    /// Chats that have come and have no answer yet.
    pub fn chats(&self) -> u32 {
        *self.state.chats.borrow()
    }
}

// === impl State ===

impl State {
    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        match request.uri().path() {
            "/metrics" => self.metrics().await,
            "/v1/models" => self.body(StatusCode::OK, json!({"object": "list", "data": [{"id": "m"}]}).to_string()),
            _ => self.chat().await,
        }
    }

    async fn metrics(&self) -> Response<Full<Bytes>> {
        let says = self.says.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let page = match says {
            Says::Busy(running, waiting) => page::vllm(running, waiting),
            Says::Truth => page::vllm(*self.chats.borrow(), 0),
            Says::Asleep => page::vllm(0, 0).replace("sleep_state=\"awake\"} 1.0", "sleep_state=\"awake\"} 0.0"),
            Says::Nothing => return self.body(StatusCode::INTERNAL_SERVER_ERROR, String::new()),
            Says::Hangs => pending().await,
        };
        self.body(StatusCode::OK, page)
    }

    async fn chat(&self) -> Response<Full<Bytes>> {
        self.chats.send_modify(|chats| *chats += 1);
        // The sender lives as long as this does.
        let _ = self.held.subscribe().wait_for(|held| !held).await;
        self.chats.send_modify(|chats| *chats -= 1);
        let message = json!({"role": "assistant", "content": "yes"});
        let choices = json!([{"index": 0, "message": message, "finish_reason": "stop"}]);
        let usage = json!({"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2});
        let answer = json!({"id": "1", "object": "chat.completion", "model": "m", "choices": choices, "usage": usage});
        self.body(StatusCode::OK, answer.to_string())
    }

    fn body(&self, status: StatusCode, body: String) -> Response<Full<Bytes>> {
        let answer = Response::builder().status(status).header("x-simulator", self.name);
        answer.body(Full::new(body.into())).expect("a valid answer")
    }
}
