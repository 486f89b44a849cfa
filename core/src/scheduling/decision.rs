//! What was decided, and why.

use super::{Endpoint, Load, MAX_PICKS};
use std::sync::Arc;

/// The endpoints for a request, best first, with every verdict and score behind the order.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Names of the scorers and their weights, in the order of [`Verdict::scores`].
    pub scorers: Vec<(&'static str, f64)>,
    /// One for every endpoint that was looked at.
    pub verdicts: Vec<Verdict>,
    /// Indexes into `verdicts`: the first try, then the retries.
    pub picks: Vec<usize>,
}

/// What became of one endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// `ip:port`
    pub address: Arc<str>,
    /// `namespace/name`
    pub pod: Arc<str>,
    /// What it was judged by.
    pub load: Load,
    /// The filter that dropped it, if one did, or [`super::ASLEEP`].
    pub dropped_by: Option<&'static str>,
    /// In [0, 1], one a scorer; empty when dropped, unless it is ranked all the same ([`super::Profile::decide`]).
    pub scores: Vec<f64>,
    /// The weighted sum.
    pub total: f64,
}

// === impl Decision ===

impl Decision {
    /// Addresses in order.
    pub fn addresses(&self) -> impl Iterator<Item = &Arc<str>> + Clone {
        self.picks.iter().filter_map(|pick| self.verdicts.get(*pick)).map(|verdict| &verdict.address)
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
    pub(super) fn of(endpoint: &Endpoint) -> Self {
        Self {
            address: Arc::clone(&endpoint.address),
            pod: Arc::clone(&endpoint.pod),
            load: endpoint.load,
            dropped_by: None,
            scores: Vec::new(),
            total: 0.0,
        }
    }
}
