//! The body: scanned as it arrives, judged when it is whole.

use super::{Answer, Head, Local, Patience, prefix};
use crate::access_log::Facts;
use crate::form::{Boundary, FormModel, FormScanner};
use crate::gen_ai::{self, span};
use crate::openai::{Model, Rewrite, Scan, Scanner};
use crate::reply::{Refusal, Shape};
use crate::routing::{Budgets, Query, Resolution, Routed, Routes};
use crate::wire;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use std::ops::Range;
use std::time::Duration;

/// Outcomes after which another endpoint is tried: it could not be reached, it went away or took too
/// long before its first byte, or it answered with a 5xx (`retriable-headers`; Envoy's routes name them all but 501, which any
/// other would answer as well). An engine's 4xx is an answer.
const RETRY_ON: &str = "retriable-headers,reset,connect-failure,refused-stream";

/// Of those, what cost no engine anything: the request was not sent.
const RETRY_UNSENT: &str = "connect-failure,refused-stream,reset-before-request";

/// A request whose body is on its way.
#[derive(Debug)]
pub struct Session {
    head: Head,
    body: Body,
    limit: u64,
    /// How long the body is, where the client announced it.
    announced: Option<u64>,
}

/// Of a body of which the end is known, so much at a time is scanned: each piece is a few calls of the host.
const STRIDE: usize = 64 << 10;

/// What a body is read as.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every body is JSON, and the session is in a box already")]
enum Body {
    /// One JSON object.
    Json(Scanner),
    /// A form, as audio is sent.
    Form(FormScanner),
}

/// What a body said.
#[derive(Debug)]
enum Read {
    Json(Scan),
    Form(Option<FormModel>),
}

/// What is to be done to a request that may pass.
#[derive(Debug)]
pub struct Forward {
    /// Headers to set.
    pub set: Vec<(&'static str, String)>,
    /// Edits of the body.
    pub rewrite: Rewrite,
    /// Whether the client announced a `content-length`, which an edited body must correct.
    pub content_length: bool,
    /// Reads the answer.
    pub answer: Answer,
    /// The shape that this client's errors have.
    pub shape: Shape,
    /// How long a try may take to answer with headers; 0 for as long as it takes.
    timeout: Duration,
    /// Retries after the first try.
    retries: u32,
    operation: Option<&'static str>,
    /// Whether the client asked for a stream.
    stream: bool,
}

// === impl Session ===

impl Session {
    /// # Errors
    /// A form of which the headers do not say where its fields end.
    pub(super) fn new(head: Head, limit: u64, announced: Option<u64>) -> Result<Self, Refusal> {
        let body = match Boundary::of(head.value("content-type")) {
            None => Body::Json(Scanner::new()),
            Some(Ok(boundary)) => Body::Form(FormScanner::new(boundary)),
            Some(Err(error)) => return Err(Refusal::InvalidBody(error.to_string())),
        };
        Ok(Self { head, body, limit, announced })
    }

    /// The shape that this client's errors have.
    pub fn shape(&self) -> Shape {
        Shape::of_path(&self.head.path())
    }

    /// How many bytes of the body were fed.
    pub fn bytes(&self) -> usize {
        match &self.body {
            Body::Json(scanner) => scanner.bytes(),
            Body::Form(scanner) => scanner.bytes(),
        }
    }

    /// Whether what came since is to be fed now, where so much of the body is there.
    ///
    /// Not before it is whole or 64 KiB more, where its length is known; without a length every piece may be the last
    /// before trailers, where the body is out of reach.
    pub fn wants(&self, size: usize) -> bool {
        let whole = self.announced.is_none_or(|length| size as u64 >= length);
        whole || size.saturating_sub(self.bytes()) >= STRIDE
    }

    /// Takes the next chunk of the body.
    ///
    /// # Errors
    /// The answer to a body that is too large, or neither a JSON object nor a form; nothing more is to be fed then.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<(), Local> {
        let refusal = if (self.bytes() + chunk.len()) as u64 > self.limit {
            Refusal::BodyTooLarge { limit: self.limit }
        } else {
            match self.body.feed(chunk) {
                Ok(()) => return Ok(()),
                Err(error) => Refusal::InvalidBody(error),
            }
        };
        Err(Local::refuse(&refusal, self.shape(), Facts::default()))
    }

    /// Judges the whole body, at that time from the request's start. `random` is any uniform value, which draws the
    /// target and becomes the request's key. `body` answers the body's bytes at a range, for the prompt's hash
    /// chain; where it does not, the request goes without.
    ///
    /// # Errors
    /// The answer to a request that no engine will see.
    pub fn finish(
        self,
        routes: &Routes,
        random: u64,
        now: Duration,
        body: impl FnMut(Range<usize>) -> Option<Vec<u8>>,
    ) -> Result<Forward, Local> {
        let shape = self.shape();
        let mut facts = Facts::default();
        self.judge(routes, random, now, body, &mut facts).map_err(|refusal| Local::refuse(&refusal, shape, facts))
    }

    /// Leaves in `facts` what was found out before a refusal.
    fn judge(
        self,
        routes: &Routes,
        random: u64,
        now: Duration,
        body: impl FnMut(Range<usize>) -> Option<Vec<u8>>,
        facts: &mut Facts,
    ) -> Result<Forward, Refusal> {
        let read = self.body.finish().map_err(Refusal::InvalidBody)?;
        let name = read.model().filter(|name| !name.trim().is_empty()).ok_or(Refusal::ModelMissing)?;
        *facts = Facts::named(name, routes.has_model(name));
        let path = self.head.path();
        if needs_prompt(&path) && !read.has_prompt() {
            return Err(Refusal::PromptMissing);
        }
        let routed = route(routes, &self.head, name, random)?;
        let mut forward = Forward::new(&self.head, name, &routed, random, std::mem::take(facts), now);
        match &read {
            Read::Json(scan) => {
                forward.set.push((wire::TOKENS, scan.prompt.estimate_tokens().to_string()));
                let model = routed.rewrite.unwrap_or(name);
                if let Some(blocks) = routed.server.prefix
                    && let Some(chain) = prefix::chain(&scan.prompt, blocks, model, body)
                {
                    forward.set.push((wire::PREFIX_CHAIN, chain));
                }
                forward.rewrite = Rewrite::plan(scan, routed.rewrite, reports_usage_on_request(&path));
                forward.answer.inject(forward.rewrite.adds_usage());
                forward.stream = scan.stream;
            }
            // What a form carries is no text that could be counted or hashed.
            Read::Form(Some(FormModel { name, span })) => {
                if let Some(model) = routed.rewrite.filter(|model| model != name) {
                    forward.rewrite = Rewrite::field(*span, model);
                }
            }
            Read::Form(None) => {}
        }
        Ok(forward)
    }
}

// === impl Body ===

impl Body {
    fn feed(&mut self, chunk: &[u8]) -> Result<(), String> {
        match self {
            Self::Json(scanner) => scanner.feed(chunk).map_err(|error| error.to_string()),
            Self::Form(scanner) => scanner.feed(chunk).map_err(|error| error.to_string()),
        }
    }

    fn finish(self) -> Result<Read, String> {
        match self {
            Self::Json(scanner) => scanner.finish().map(Read::Json).map_err(|error| error.to_string()),
            Self::Form(scanner) => scanner.finish().map(Read::Form).map_err(|error| error.to_string()),
        }
    }
}

// === impl Read ===

impl Read {
    fn model(&self) -> Option<&str> {
        match self {
            Self::Json(Scan { model: Model::Name { name, .. }, .. }) => Some(name),
            Self::Form(Some(FormModel { name, .. })) => Some(name),
            Self::Json(_) | Self::Form(None) => None,
        }
    }

    fn has_prompt(&self) -> bool {
        matches!(self, Self::Json(scan) if scan.prompt.kind.is_some())
    }
}

// === impl Forward ===

impl Forward {
    pub(super) fn new(head: &Head, model: &str, routed: &Routed<'_>, key: u64, facts: Facts, now: Duration) -> Self {
        let server = routed.server;
        let upstream_model = routed.rewrite.unwrap_or(model);
        let facts = Facts {
            key,
            model_route: Some(routed.route.name.clone()),
            target: Some((server.name.clone(), upstream_model.to_owned())),
            forwarded: Some(now),
            ..facts
        };
        let (timeout, retries) = (Duration::from_millis(server.header_timeout_ms.into()), server.retries);
        let mut set = vec![
            (wire::TARGET, server.name.clone()),
            (wire::MODEL, header_value(model)),
            (wire::UPSTREAM_MODEL, header_value(upstream_model)),
            (wire::ROUTE, routed.route.name.clone()),
            (wire::BACKOFF, server.backoff.name().to_owned()),
            (wire::KEY, format!("{key:016x}")),
            (wire::envoy::RETRY_ON, RETRY_ON.to_owned()),
            (wire::envoy::MAX_RETRIES, server.retries.to_string()),
        ];
        let shape = Shape::of_path(&head.path());
        if shape == Shape::Anthropic {
            set.push((wire::SHAPE, wire::ANTHROPIC.to_owned()));
        }
        if !server.fail_close {
            set.push((wire::SUBSET, server.name.clone()));
        }
        if server.header_timeout_ms > 0 {
            set.push((wire::envoy::PER_TRY_TIMEOUT, server.header_timeout_ms.to_string()));
        }
        if !head.value("accept-encoding").is_empty() {
            // A compressed answer could not be read for its usage.
            set.push(("accept-encoding", "identity".to_owned()));
        }
        let content_length = !head.value("content-length").is_empty();
        Self {
            set,
            rewrite: Rewrite::default(),
            content_length,
            answer: Answer::expect(facts),
            shape,
            timeout,
            retries,
            operation: gen_ai::operation(&head.path()),
            stream: false,
        }
    }

    /// What a span is to say of it.
    pub fn span(&self) -> span::Notes {
        span::judged(self.operation, self.stream, self.answer.known())
    }

    /// Counts the request in its ModelServer's budget. Where that is spent, only what no engine saw is retried.
    pub fn ration(&mut self, budgets: &mut Budgets, now: Duration) {
        if budgets.request(self.answer.server(), now) || self.retries == 0 {
            return;
        }
        self.answer.ration();
        self.set.push((wire::RETRIES, wire::RATIONED.to_owned()));
        for (name, value) in &mut self.set {
            if *name == wire::envoy::RETRY_ON {
                *value = RETRY_UNSENT.to_owned();
            }
        }
    }

    /// What bounds the tries that may time out; `None` where Envoy alone does. Not before [`Forward::ration`].
    pub fn patience(&self, now: Duration) -> Option<Patience> {
        // Rationed, a try that timed out is not retried.
        if self.answer.rationed() { None } else { Patience::new(self.timeout, self.retries.saturating_add(1), now) }
    }
}

/// Asks the table for the way of a request.
pub(super) fn route<'t>(routes: &'t Routes, head: &Head, model: &str, random: u64) -> Resolution<'t> {
    routes.resolve(&Query { model, path: &head.path(), header: &|name| head.value(name) }, random)
}

/// Names come from clients: what no header can carry is percent-encoded, and so is `%`. The picker undoes it.
fn header_value(name: &str) -> String {
    const ENCODED: &AsciiSet = &CONTROLS.add(b'%');
    utf8_percent_encode(name, ENCODED).to_string()
}

/// Paths whose protocol has a prompt; any other JSON with a model goes through.
fn needs_prompt(path: &str) -> bool {
    matches!(path, "/v1/chat/completions" | "/v1/completions" | "/v1/embeddings" | "/v1/responses" | "/v1/messages")
}

/// Paths whose streams report usage only when asked by `stream_options.include_usage`.
fn reports_usage_on_request(path: &str) -> bool {
    matches!(path, "/v1/chat/completions" | "/v1/completions")
}
