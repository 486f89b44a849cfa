//! What was decided, and why.

use super::{EJECTED, Endpoint, Load, MAX_PICKS};
use std::sync::Arc;
use std::time::Duration;

/// The endpoints for a request, best first, with every verdict and score behind the order.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Names of the scorers and their weights.
    pub scorers: Arc<[(&'static str, f64)]>,
    /// Those that were looked at.
    pub endpoints: Arc<[Endpoint]>,
    /// What each was judged by, in their order.
    pub loads: Vec<Load>,
    /// [`Verdict::matched`] of each.
    pub(super) matched: Vec<f64>,
    /// The largest of them.
    pub best_match: f64,
    /// [`Verdict::dropped_by`] of each; empty while nobody was dropped, which is most often.
    pub(super) dropped: Vec<Option<&'static str>>,
    /// [`Verdict::total`] of each.
    pub(super) totals: Vec<f64>,
    /// One scorer after the other, as many as there are endpoints from each; see [`Decision::scores`].
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
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Verdict {
    /// Share of the prompt in its cache, in [0, 1] ([`super::Known::matched`]).
    pub matched: f64,
    /// The filter that dropped it, if one did, or [`super::ASLEEP`].
    pub dropped_by: Option<&'static str>,
    /// Whether it was scored: what was dropped is not.
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

    /// What became of an endpoint.
    pub fn verdict(&self, endpoint: usize) -> Option<Verdict> {
        let (matched, total) = (*self.matched.get(endpoint)?, *self.totals.get(endpoint)?);
        let dropped_by = self.dropped.get(endpoint).copied().flatten();
        Some(Verdict { matched, dropped_by, scored: dropped_by.is_none(), total })
    }

    /// What became of each, in their order.
    pub fn verdicts(&self) -> impl ExactSizeIterator<Item = Verdict> {
        (0..self.matched.len()).map(|index| self.verdict(index).unwrap_or_default())
    }

    /// Whether some endpoints must not serve the request although others may. Who was ejected may, after all others.
    pub fn dropped_any(&self) -> bool {
        self.dropped.iter().flatten().any(|by| *by != EJECTED)
    }

    /// Scores of an endpoint in [0, 1], one a scorer; none where it was not scored.
    pub fn scores(&self, endpoint: usize) -> impl Iterator<Item = f64> {
        let scored = self.verdict(endpoint).is_some_and(|verdict| verdict.scored);
        let columns = self.scores.chunks_exact(self.matched.len().max(1)).filter(move |_| scored);
        columns.filter_map(move |column| column.get(endpoint).copied())
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

// === impl Saturated ===

impl Saturated {
    /// Nobody may serve; it is worth to ask again once the shortest queue of an engine that is awake has a place.
    ///
    /// A queue of w behind r that run, each taking d seconds, moves up by one every d / r. Without figures, or with
    /// figures that say less, a second; a minute at the most.
    pub(super) fn new(by: &'static str, loads: &[Load]) -> Self {
        let wait = |load: &Load| {
            let running = f64::from(load.signals?.running?.max(1));
            Some(f64::from(load.waiting()?) * f64::from(load.duration?) / running)
        };
        let awake = loads.iter().filter(|load| !load.asleep());
        let shortest = awake.filter_map(wait).min_by(f64::total_cmp).unwrap_or(1.0);
        // An engine must not be asked for before its next scrape says more.
        Self { by, retry_after: Duration::from_secs(shortest.ceil().clamp(1.0, 60.0) as u64) }
    }
}
