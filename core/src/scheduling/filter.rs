//! Plugins that drop endpoints.

use super::{Candidate, Request};

mod lora;

pub use lora::ServesModel;

/// Drops endpoints that must not serve a request.
pub trait Filter: Send + Sync {
    /// Its name in the configuration file.
    fn name(&self) -> &'static str;

    /// Takes back `keep` of those that must not serve; it has the candidates' length, and is false where an earlier
    /// filter dropped one.
    fn filter(&self, request: &Request<'_>, candidates: &[Candidate<'_>], keep: &mut [bool]);

    /// Why it drops what it drops, for a person: a clause such as `10 or more requests wait in its engine`.
    fn reason(&self) -> String;
}

/// How many requests may wait in an engine, unless the configuration says otherwise.
pub const DEFAULT_MAX_WAITING: u32 = 10;

/// The filtering half of `least-request`: drops endpoints in whose engine that many requests wait.
///
/// At least one. An engine that does not say how many wait is kept: a page that cannot be read must not end service.
#[derive(Debug, Clone, Copy)]
pub struct MaxWaiting(pub u32);

// === impl MaxWaiting ===

impl Filter for MaxWaiting {
    fn name(&self) -> &'static str {
        "least-request"
    }

    fn filter(&self, _: &Request<'_>, candidates: &[Candidate<'_>], keep: &mut [bool]) {
        for (candidate, keep) in candidates.iter().zip(keep) {
            *keep &= candidate.waiting < self.0;
        }
    }

    fn reason(&self) -> String {
        format!("{} or more requests wait in its engine", self.0)
    }
}
