//! A finished request, as the access log and the metrics see it.

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::Duration;

/// Everything that is known of a request once it has ended, however it ended.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Entry {
    /// Nanoseconds since the Unix epoch at which Envoy took the request.
    pub start: u64,
    /// `POST`
    pub method: String,
    /// As the client sent it, without the query.
    pub path: String,
    /// `HTTP/1.1`, `HTTP/2.0`
    pub protocol: &'static str,
    /// [`Facts::key`](super::Facts::key).
    pub key: u64,
    /// What the client got; 0 when it went away before it got any.
    pub status: u16,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
    /// The model that the client named; empty when none was read.
    pub model: String,
    /// Whether a ModelRoute offers that name: metrics call every other name `unknown`.
    pub model_known: bool,
    /// `namespace/name` of the ModelRoute that matched.
    pub model_route: Option<String>,
    /// Whereto it was bound.
    pub bound: Option<Bound>,
    /// `namespace/name` of the Pod that served it last, retries included.
    pub pod: Option<String>,
    /// The upstream that was asked last, whether or not a Pod is known there; `None` when none was.
    pub address: Option<SocketAddr>,
    /// `x-request-id`
    pub request_id: String,
    /// The trace that it is part of, in hexadecimal digits; empty without one.
    pub trace_id: String,
    /// What the engine answered on the last attempt.
    pub upstream_status: Option<u16>,
    /// Attempts that were made; 0 when none was.
    pub upstream_attempts: u32,
    /// Whether its retries were withheld: the ModelServer's budget was spent.
    pub rationed: bool,
    /// As the engine reported them.
    pub usage: Option<Usage>,
    /// Where the time went.
    pub phases: Phases,
    /// The pace of a streamed answer.
    pub chunks: Option<Chunks>,
}

/// Why a request failed, in upstream's vocabulary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The access log's `error.type`: the name of a [`Kind`](super::Kind).
    pub kind: &'static str,
    /// For people.
    pub message: String,
}

/// The destination that a request was bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// `model_server`; later `external_provider`, `inference_pool`.
    pub backend_type: &'static str,
    /// `namespace/name`
    pub backend: String,
    /// The name that the engine was asked for.
    pub upstream_model: String,
}

/// Tokens of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Of the prompt.
    pub input: u64,
    /// Generated.
    pub output: u64,
}

/// Where the time went; the parts add up to the total.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Phases {
    /// From the client's first byte to the last byte that it got.
    pub total: Duration,
    /// Reading, routing and picking, until the engine was asked.
    pub request: Duration,
    /// Until the engine's first byte, retries included.
    pub upstream: Duration,
    /// From there to the end.
    pub response: Duration,
}

/// The pace of a streamed answer, measured where its chunks pass.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Chunks {
    /// From the client's first byte to the answer's first chunk with content: time to first token.
    pub first: Duration,
    /// From that chunk to the last one: the sum of the gaps.
    pub span: Duration,
    /// Gaps between chunks, counted by [`Chunks::BOUNDS`]; the last counts what is beyond.
    pub gaps: [u32; Chunks::BUCKETS],
}

// === impl Entry ===

impl Entry {
    /// `namespace/name` of the ModelServer that it was bound to.
    pub fn model_server(&self) -> Option<&str> {
        let bound = self.bound.as_ref().filter(|bound| bound.backend_type == "model_server")?;
        Some(&bound.backend)
    }
}

// === impl Chunks ===

impl Chunks {
    /// How many [`Chunks::gaps`] there are.
    pub const BUCKETS: usize = Self::BOUNDS.len() + 1;
    /// Upper bounds of the gaps' buckets in milliseconds, inclusive.
    pub const BOUNDS: [u32; 12] = [5, 10, 20, 30, 40, 50, 75, 100, 200, 500, 1_000, 2_500];

    /// The first chunk with content, that long after the request's start.
    pub fn begin(first: Duration) -> Self {
        Self { first, ..Self::default() }
    }

    /// The next chunk, that long after the request's start.
    pub fn next(&mut self, at: Duration) {
        let gap = at.saturating_sub(self.first.saturating_add(self.span));
        self.span = self.span.saturating_add(gap);
        let bucket = Self::BOUNDS.iter().filter(|bound| gap > Duration::from_millis((**bound).into())).count();
        if let Some(count) = self.gaps.get_mut(bucket) {
            *count = count.saturating_add(1);
        }
    }
}
