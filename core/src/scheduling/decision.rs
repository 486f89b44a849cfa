//! What was decided, and why.

use super::{Candidate, EJECTED, Endpoint, Load, MAX_PICKS};
use std::sync::Arc;
use std::time::Duration;

/// The endpoints for a request, best first, with every verdict and score behind the order.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Names of the scorers and their weights.
    pub scorers: Arc<[(&'static str, f64)]>,
    /// Those that were looked at.
    pub endpoints: Arc<[Endpoint]>,
    /// One for every endpoint, in their order.
    pub verdicts: Vec<Verdict>,
    /// As many for every endpoint as there are scorers; see [`Decision::scores`].
    pub(super) scores: Vec<f64>,
    /// Indexes into `endpoints`: the first try, then the retries.
    pub picks: Vec<usize>,
    /// Set when filters dropped every endpoint: nobody may serve now.
    pub saturated: Option<Saturated>,
}

/// Why nobody may serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saturated {
    /// The filter that left none.
    pub by: &'static str,
    /// When it is worth to ask again: whole seconds, at least one.
    pub retry_after: Duration,
}

/// What became of one endpoint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// What it was judged by.
    pub load: Load,
    /// Share of the prompt in its cache, in [0, 1] ([`Candidate::matched`]).
    pub matched: f64,
    /// The filter that dropped it, if one did, or [`super::ASLEEP`].
    pub dropped_by: Option<&'static str>,
    /// Whether it was scored. What was dropped is not, unless it is ranked all the same ([`super::Profile::decide`]).
    pub scored: bool,
    /// The weighted sum of its scores.
    pub total: f64,
}

// === impl Decision ===

impl Decision {
    /// Addresses in order.
    pub fn addresses(&self) -> impl Iterator<Item = &Arc<str>> + Clone {
        self.picks.iter().filter_map(|pick| self.endpoints.get(*pick)).map(|endpoint| &endpoint.address)
    }

    /// Whether some endpoints must not serve the request although others may. Who was ejected may, after all others.
    pub fn dropped_any(&self) -> bool {
        self.verdicts.iter().any(|verdict| verdict.dropped_by.is_some_and(|by| by != EJECTED))
    }

    /// Scores of an endpoint in [0, 1], one a scorer; empty where it was not scored.
    pub fn scores(&self, endpoint: usize) -> &[f64] {
        let count = self.scorers.len();
        if !self.verdicts.get(endpoint).is_some_and(|verdict| verdict.scored) {
            return &[];
        }
        self.scores.get(endpoint * count..(endpoint + 1) * count).unwrap_or_default()
    }

    /// The value of [`crate::wire::DESTINATION`]: addresses in order, separated by commas.
    pub fn destination(&self) -> String {
        joined(self.addresses())
    }

    /// The same, from its start again until it has [`MAX_PICKS`] entries: where nobody else may serve, a retry past
    /// the end of the list would find nobody, and the failure before it would be lost.
    pub fn destination_in_turns(&self) -> String {
        joined(self.addresses().cycle().take(MAX_PICKS))
    }
}

fn joined<'a>(addresses: impl Iterator<Item = &'a Arc<str>>) -> String {
    let mut value = String::new();
    for address in addresses {
        if !value.is_empty() {
            value.push(',');
        }
        value.push_str(address);
    }
    value
}

// === impl Verdict ===

impl Verdict {
    pub(super) fn of(candidate: &Candidate<'_>) -> Self {
        Self { load: candidate.load, matched: candidate.matched, dropped_by: None, scored: false, total: 0.0 }
    }
}
