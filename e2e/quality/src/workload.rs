//! What clients ask.

mod adapters;
mod prefixes;
mod sessions;

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;

pub use adapters::Adapters;
pub use prefixes::{Prefixes, Sizes};
pub use sessions::{Habits, Sessions};

/// Clients that each have at most one request under way.
pub trait Workload {
    /// What a client asks next; `answer` is what it was told last, empty at first. `None`: it has had enough.
    fn next(&mut self, client: usize, answer: &[u32]) -> Option<Turn>;
}

/// A request to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// How long the client thinks first.
    pub after: Duration,
    /// Token ids.
    pub prompt: Vec<u32>,
    /// Tokens of the answer.
    pub tokens: u32,
    /// The LoRA adapter that it asks for.
    pub adapter: Option<Arc<str>>,
}

/// What a piece of text is: equal kinds and numbers of one seed are the same text, others share nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    System(u64),
    Question(u64),
}

// === impl Text ===

impl Text {
    /// Its first `tokens` tokens.
    fn ids(self, seed: u64, tokens: u32) -> impl Iterator<Item = u32> {
        let (kind, number) = match self {
            Self::System(number) => (1_u64, number),
            Self::Question(number) => (2, number),
        };
        let mut words = Rng::with_seed(seed ^ (kind << 60) ^ (number << 16));
        (0..tokens).map(move |_| words.u32(..))
    }
}

#[cfg(test)]
mod tests;
