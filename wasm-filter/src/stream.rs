//! One request: Envoy's callbacks handed to the session, its outcomes to Envoy.

use crate::stats;
use crate::table::routes;
use crate::worker::{Waiting, budgets, called, now, traced, tries};
use kthena_core::access_log::Facts;
use kthena_core::gen_ai::span;
use kthena_core::reply::Refusal;
use kthena_core::session::{Answer, Forward, Head, Local, Opening, Session};
use kthena_core::wire;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, Bytes};
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

/// One request.
pub(crate) struct Stream {
    id: u32,
    start: Duration,
    state: State,
    waiting: Rc<Waiting>,
    /// The body, where it was read in one piece of no more than [`HELD`].
    held: Bytes,
    /// [`Head::answer_id`]
    answer_id: Option<Box<[u8]>>,
    /// Whether we look after its tries.
    watched: bool,
}

/// A body as small as this is held once it was read, so that the host need not be asked for it again.
const HELD: usize = 64 << 10;

/// A request's state between callbacks.
enum State {
    /// Before the headers.
    New,
    /// The headers are held while the body is scanned.
    Body(Box<Session>),
    /// On its way to an engine, or answered by it.
    Forwarded {
        answer: Box<Answer>,
        /// Whether it is tried no more.
        begun: bool,
    },
    /// Not ours: Envoy's own routes answer.
    Passed,
    /// We answered.
    Answered(Box<Facts>),
}

// === impl Stream ===

impl Stream {
    pub(crate) fn new(id: u32, waiting: Rc<Waiting>) -> Self {
        Self { id, start: now(), state: State::New, waiting, held: Bytes::new(), answer_id: None, watched: false }
    }

    /// Leaves what the request's span is to say, where there is one.
    fn note(&self, notes: impl FnOnce() -> span::Notes) {
        if traced() {
            for (name, value) in notes() {
                self.set_property(vec![name], Some(value.as_bytes()));
            }
        }
    }

    fn reply(&mut self, local: Local) -> Action {
        self.note(|| local.span());
        let Local { reply, facts } = local;
        if reply.status >= 400 {
            stats::refused();
        }
        self.state = State::Answered(facts);
        self.set_http_request_header(wire::LOCAL_REPLY, Some("1"));
        let headers = vec![("content-type", "application/json")];
        self.send_http_response(u32::from(reply.status), headers, Some(&reply.body));
        Action::Pause
    }

    /// Edits the request and lets it go. `body` is the length of the buffered body.
    fn forward(&mut self, mut forward: Forward, body: usize) -> Action {
        budgets(|budgets| forward.ration(budgets, now()));
        if forward.answer.rationed() {
            stats::retries_withheld();
        }
        for (name, value) in &forward.set {
            self.set_http_request_header(name, Some(value));
        }
        if !forward.rewrite.is_empty() {
            let prefix_len = forward.rewrite.prefix_len();
            let prefix = self.read(0..prefix_len).unwrap_or_default();
            if prefix.len() != prefix_len {
                let facts = forward.answer.facts();
                return self.reply(Local::refuse(&Refusal::BodyUnavailable, forward.shape, facts));
            }
            let edited = forward.rewrite.apply(&prefix);
            self.set_http_request_body(0, prefix_len, &edited);
            if forward.content_length {
                let length = body.saturating_sub(prefix_len) + edited.len();
                self.set_http_request_header("content-length", Some(&length.to_string()));
            }
        }
        if let Some(patience) = forward.patience(now()) {
            self.waiting.begin(self.id, patience);
            self.watched = true;
        }
        self.note(|| forward.span());
        self.held = Bytes::new();
        self.state = State::Forwarded { answer: Box::new(forward.answer), begun: false };
        Action::Continue
    }

    /// The request is tried no more: its answer begins, or it has ended without one. `in_vain`: retries of a failure.
    fn tried(&mut self, in_vain: u32) {
        let given_up = std::mem::take(&mut self.watched) && !self.waiting.end(self.id);
        let State::Forwarded { answer, begun } = &mut self.state else { return };
        if !std::mem::replace(begun, true) && !answer.rationed() && in_vain > 0 {
            budgets(|budgets| budgets.in_vain(answer.server(), in_vain, now()));
        }
        if given_up {
            stats::given_up();
            let facts = answer.given_up();
            self.note(|| span::judged(None, false, &facts));
            self.state = State::Answered(Box::new(facts));
        }
    }

    /// The session, taken out, while the body is read.
    fn body(&mut self) -> Option<Box<Session>> {
        match std::mem::replace(&mut self.state, State::Passed) {
            State::Body(session) => Some(session),
            other => {
                self.state = other;
                None
            }
        }
    }

    /// Bytes of the body; `None` where Envoy does not give them.
    fn read(&self, range: Range<usize>) -> Option<Bytes> {
        let held = self.held.get(range.clone()).map(<[u8]>::to_vec);
        held.or_else(|| self.get_http_request_body(range.start, range.len()))
    }

    /// Time since the request began.
    fn elapsed(&self) -> Duration {
        now().saturating_sub(self.start)
    }

    fn finish(&mut self, body: usize) -> Action {
        let Some(session) = self.body() else { return Action::Continue };
        match session.finish(&routes(), fastrand::u64(..), self.elapsed(), |range| self.read(range)) {
            Ok(forward) => self.forward(forward, body),
            Err(local) => self.reply(local),
        }
    }
}

impl Context for Stream {}

impl Drop for Stream {
    fn drop(&mut self) {
        self.waiting.end(self.id);
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        called();
        let head = Head { headers: self.get_http_request_headers_bytes(), has_body: !end_of_stream };
        self.answer_id = head.answer_id().map(Box::from);
        self.note(|| head.span());
        let routes = routes();
        for name in head.dropped(&routes) {
            self.remove_http_request_header(name);
        }
        match head.open(&routes, fastrand::u64(..)) {
            Opening::Pass => {
                self.state = State::Passed;
                Action::Continue
            }
            Opening::Reply(local) => self.reply(local),
            Opening::Forward(forward) => self.forward(*forward, 0),
            Opening::Body(session) => {
                self.state = State::Body(session);
                Action::Pause
            }
        }
    }

    /// `size` is all that is buffered so far: paused bodies accumulate in Envoy.
    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        called();
        let fed = match &self.state {
            State::Body(session) if !end_of_stream && !session.wants(size) => return Action::Pause,
            State::Body(session) => session.bytes(),
            State::Answered(_) => return Action::Pause,
            State::New | State::Passed | State::Forwarded { .. } => return Action::Continue,
        };
        let chunk = if size > fed { self.get_http_request_body(fed, size - fed) } else { None }.unwrap_or_default();
        let State::Body(session) = &mut self.state else { return Action::Continue };
        if let Err(local) = session.feed(&chunk) {
            return self.reply(local);
        }
        if fed == 0 && chunk.len() <= HELD {
            self.held = chunk;
        } else if size > fed {
            self.held = Bytes::new();
        }
        if end_of_stream { self.finish(size) } else { Action::Pause }
    }

    /// A request may end in trailers, where its body is out of reach: it passes if nothing needs editing.
    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        called();
        let Some(session) = self.body() else { return Action::Continue };
        match session.finish(&routes(), fastrand::u64(..), self.elapsed(), |_| None) {
            Ok(forward) if forward.rewrite.is_empty() => self.forward(forward, 0),
            Ok(forward) => {
                let refusal = Refusal::InvalidBody("request trailers are not supported".to_owned());
                self.reply(Local::refuse(&refusal, forward.shape, forward.answer.facts()))
            }
            Err(local) => self.reply(local),
        }
    }

    fn on_http_response_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        called();
        let retries = tries().saturating_sub(1);
        let failed = |status: Bytes| status.first().is_none_or(|class| *class >= b'5');
        // Most often there were none, and nobody asks what came of them.
        let in_vain = retries > 0 && failed(self.get_http_response_header_bytes(":status").unwrap_or_default());
        self.tried(if in_vain { retries } else { 0 });
        if let State::Forwarded { answer, .. } = &self.state {
            let status = || self.get_http_response_header_bytes(":status").unwrap_or_default();
            self.note(|| span::answering(&status(), answer.known()));
        }
        if let Some(id) = self.answer_id.take()
            && self.get_http_response_header_bytes(wire::ANTHROPIC_REQUEST_ID).is_none()
        {
            self.set_http_response_header_bytes(wire::ANTHROPIC_REQUEST_ID, Some(&id));
        }
        if end_of_stream || !matches!(self.state, State::Forwarded { .. }) {
            return Action::Continue;
        }
        let content_type = self.get_http_response_header_bytes("content-type").unwrap_or_default();
        let encoding = self.get_http_response_header_bytes("content-encoding").unwrap_or_default();
        let State::Forwarded { answer, .. } = &mut self.state else { return Action::Continue };
        let shortened = answer.start(&content_type, &encoding);
        let encoded = answer.encoded();
        if shortened {
            self.remove_http_response_header("content-length");
        }
        if encoded {
            stats::answer_encoded();
        }
        Action::Continue
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if !matches!(&self.state, State::Forwarded { answer, .. } if answer.reads()) {
            return Action::Continue;
        }
        called();
        let chunk = if size > 0 { self.get_http_response_body(0, size) } else { None }.unwrap_or_default();
        let start = self.start;
        let State::Forwarded { answer, .. } = &mut self.state else { return Action::Continue };
        if let Some(bytes) = answer.feed(&chunk, end_of_stream, || now().saturating_sub(start)) {
            self.set_http_response_body(0, size, &bytes);
        }
        if end_of_stream && let State::Forwarded { answer, .. } = &self.state {
            self.note(|| span::answered(&answer.facts()));
        }
        Action::Continue
    }

    /// The request is over, however it ended: Envoy calls this before its access loggers, and after it nothing.
    fn on_log(&mut self) {
        called();
        // Without an answer, not even one of Envoy's, the client went away: that tells nothing of the engines.
        self.tried(0);
        let facts = match &self.state {
            State::Forwarded { answer, .. } => answer.facts(),
            State::Answered(facts) => Facts::clone(facts),
            // It ended before its body did.
            State::Body(_) => Facts::default(),
            State::New | State::Passed => return,
        };
        self.set_property(vec![wire::FACTS], Some(&facts.encode()));
    }
}
