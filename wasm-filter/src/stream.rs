//! One request: Envoy's callbacks handed to the session, its outcomes to Envoy.

use crate::table::routes;
use kthena_core::reply::{Refusal, Reply};
use kthena_core::session::{Answer, Forward, Head, Opening, Session};
use kthena_core::wire;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

/// Filter state (`wasm.kthena.usage` to access logs): prompt, completion and total tokens as `p/c/t`.
const USAGE: &str = "kthena.usage";

/// A request's state between callbacks.
pub(crate) enum Stream {
    /// Before the headers.
    New,
    /// The headers are held while the body is scanned.
    Body(Box<Session>),
    /// On its way to an engine.
    Forwarded(Box<Answer>),
    /// Not ours: Envoy's own routes answer.
    Passed,
    /// We answered.
    Answered,
}

// === impl Stream ===

impl Stream {
    pub(crate) fn new() -> Self {
        Self::New
    }

    fn reply(&mut self, reply: &Reply) -> Action {
        *self = Self::Answered;
        self.set_http_request_header(wire::LOCAL_REPLY, Some("1"));
        let headers = vec![("content-type", "application/json")];
        self.send_http_response(u32::from(reply.status), headers, Some(&reply.body));
        Action::Pause
    }

    /// Edits the request and lets it go. `body` is the length of the buffered body.
    fn forward(&mut self, forward: Forward, body: usize) -> Action {
        for (name, value) in &forward.set {
            self.set_http_request_header(name, Some(value));
        }
        if !forward.rewrite.is_empty() {
            let prefix_len = forward.rewrite.prefix_len();
            let prefix = self.get_http_request_body(0, prefix_len).unwrap_or_default();
            if prefix.len() != prefix_len {
                return self.reply(&Refusal::BodyUnavailable.reply(forward.shape));
            }
            let edited = forward.rewrite.apply(&prefix);
            self.set_http_request_body(0, prefix_len, &edited);
            if forward.content_length {
                let length = body.saturating_sub(prefix_len) + edited.len();
                self.set_http_request_header("content-length", Some(&length.to_string()));
            }
        }
        *self = Self::Forwarded(Box::new(forward.answer));
        Action::Continue
    }

    fn finish(&mut self, body: usize) -> Action {
        let Self::Body(session) = std::mem::replace(self, Self::Passed) else { return Action::Continue };
        match session.finish(&routes(), fastrand::u64(..)) {
            Ok(forward) => self.forward(forward, body),
            Err(reply) => self.reply(&reply),
        }
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        let head = Head { headers: self.get_http_request_headers_bytes(), has_body: !end_of_stream };
        for name in head.reserved() {
            self.remove_http_request_header(name);
        }
        match head.open(&routes(), fastrand::u64(..)) {
            Opening::Pass => {
                *self = Self::Passed;
                Action::Continue
            }
            Opening::Reply(reply) => self.reply(&reply),
            Opening::Forward(forward) => self.forward(*forward, 0),
            Opening::Body(session) => {
                *self = Self::Body(session);
                Action::Pause
            }
        }
    }

    /// `size` is all that is buffered so far: paused bodies accumulate in Envoy.
    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        let fed = match self {
            Self::Body(session) => session.bytes(),
            Self::Answered => return Action::Pause,
            Self::New | Self::Passed | Self::Forwarded(_) => return Action::Continue,
        };
        let chunk = if size > fed { self.get_http_request_body(fed, size - fed) } else { None };
        let Self::Body(session) = self else { return Action::Continue };
        if let Err(reply) = session.feed(&chunk.unwrap_or_default()) {
            return self.reply(&reply);
        }
        if end_of_stream { self.finish(size) } else { Action::Pause }
    }

    /// A request may end in trailers, where its body is out of reach: it passes if nothing needs editing.
    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        let Self::Body(session) = std::mem::replace(self, Self::Passed) else { return Action::Continue };
        let shape = session.shape();
        match session.finish(&routes(), fastrand::u64(..)) {
            Ok(forward) if forward.rewrite.is_empty() => self.forward(forward, 0),
            Ok(_) => self.reply(&Refusal::InvalidBody("request trailers are not supported".to_owned()).reply(shape)),
            Err(reply) => self.reply(&reply),
        }
    }

    fn on_http_response_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        if end_of_stream || !matches!(self, Self::Forwarded(_)) {
            return Action::Continue;
        }
        let content_type = self.get_http_response_header_bytes("content-type").unwrap_or_default();
        let encoding = self.get_http_response_header_bytes("content-encoding").unwrap_or_default();
        let Self::Forwarded(answer) = self else { return Action::Continue };
        if answer.start(&content_type, &encoding) {
            self.remove_http_response_header("content-length");
        }
        Action::Continue
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if !matches!(self, Self::Forwarded(answer) if answer.reads()) {
            return Action::Continue;
        }
        let chunk = self.get_http_response_body(0, size).unwrap_or_default();
        let Self::Forwarded(answer) = self else { return Action::Continue };
        let replacement = answer.feed(&chunk, end_of_stream);
        let usage = if end_of_stream { answer.usage() } else { None };
        if let Some(bytes) = replacement {
            self.set_http_response_body(0, size, &bytes);
        }
        if let Some(usage) = usage {
            let text = format!("{}/{}/{}", usage.prompt_tokens, usage.completion_tokens, usage.total_tokens);
            self.set_property(vec![USAGE], Some(text.as_bytes()));
        }
        Action::Continue
    }
}
