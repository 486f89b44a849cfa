//! Which engine gets a request.

mod evenly;
mod homes;
mod ours;
mod several;
mod upstream;

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use kthena_simulator::Snapshot;

pub use evenly::{Random, RoundRobin};
pub use homes::Homes;
pub use ours::Ours;
pub use several::Several;
pub use upstream::{Score, Upstream};

/// A request, as a router sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Another one for each request.
    pub id: u64,
    /// The prompt's tokens; as text, [`BYTES_PER_TOKEN`] bytes each.
    pub prompt: Vec<u32>,
    /// Tokens of the answer, which no policy may look at.
    pub tokens: u32,
    /// The LoRA adapter that it asks for.
    pub adapter: Option<Arc<str>>,
}

/// What the access log says of a request that ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Completion {
    /// [`Request::id`]
    pub request: u64,
    /// Who served it.
    pub engine: usize,
    /// From its arrival to the first token.
    pub ttft: Duration,
    /// Mean time of a token after the first.
    pub tpot: Duration,
    /// From its arrival to the last token.
    pub duration: Duration,
}

/// A way of choosing.
pub trait Policy {
    /// The engine that gets the request; `None` sheds it (the client asks again a second later).
    fn pick(&mut self, request: &Request, now: Duration, random: &mut Rng) -> Option<usize>;

    /// A request's stream ended; told at once.
    fn ended(&mut self, request: &Request, engine: usize, now: Duration) {
        let _ = (request, engine, now);
    }

    /// The access log tells of a request that ended; up to a second late, as batches are.
    fn completed(&mut self, completion: &Completion, now: Duration) {
        let _ = (completion, now);
    }

    /// An engine's metrics page, once a second.
    fn scraped(&mut self, engine: usize, page: &Snapshot, now: Duration) {
        let _ = (engine, page, now);
    }
}

/// Bytes of a token's text: about what English prose has, and what the ids here become.
pub const BYTES_PER_TOKEN: usize = 4;

/// What came between two pages of a histogram, sum and count: the mean, if anything did.
fn mean_since(before: (f64, u64), now: (f64, u64)) -> Option<f64> {
    let count = now.1.saturating_sub(before.1);
    (count > 0).then(|| (now.0 - before.0) / count as f64)
}
