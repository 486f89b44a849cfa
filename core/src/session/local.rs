//! An answer of the filter's own, and what the log is to say of it.

use crate::access_log::Facts;
use crate::gen_ai::span;
use crate::reply::{Refusal, Reply, Shape};

/// A request that ends in the filter.
#[derive(Debug)]
pub struct Local {
    /// What the client gets.
    pub reply: Reply,
    /// What is known of the request.
    pub facts: Box<Facts>,
}

// === impl Local ===

impl Local {
    /// The answer to a request of which that much is known, in the client's shape.
    pub fn refuse(refusal: &Refusal, shape: Shape, facts: Facts) -> Self {
        Self { reply: refusal.reply(shape), facts: Box::new(facts.refused(refusal.kind(), &refusal.to_string())) }
    }

    /// What a span is to say of it.
    pub fn span(&self) -> span::Notes {
        span::judged(None, false, &self.facts)
    }
}
