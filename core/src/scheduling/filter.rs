//! Plugins that drop endpoints.

use super::{Endpoint, Request};

/// Drops endpoints that must not serve a request.
pub trait Filter: Send + Sync {
    /// Its name in the configuration file.
    fn name(&self) -> &'static str;

    /// Whether the endpoint may serve the request.
    fn keep(&self, request: &Request<'_>, endpoint: &Endpoint) -> bool;

    /// Why it drops what it drops, for a person: a clause such as `10 or more requests wait in its engine`.
    fn reason(&self) -> String;
}

/// How many requests may wait in an engine, unless the configuration says otherwise.
pub const DEFAULT_MAX_WAITING: u32 = 10;

/// The filtering half of `least-request`: drops endpoints in whose engine that many requests wait.
///
/// An engine that does not say how many wait is kept: a page that cannot be read must not end service.
#[derive(Debug, Clone, Copy)]
pub struct MaxWaiting(pub u32);

// === impl MaxWaiting ===

impl Filter for MaxWaiting {
    fn name(&self) -> &'static str {
        "least-request"
    }

    fn keep(&self, _: &Request<'_>, endpoint: &Endpoint) -> bool {
        let waiting = endpoint.load.signals.and_then(|signals| signals.waiting);
        waiting.is_none_or(|waiting| waiting < self.0)
    }

    fn reason(&self) -> String {
        format!("{} or more requests wait in its engine", self.0)
    }
}
