//! What is chosen from, and for what.

use std::sync::Arc;

/// One address that serves a target's model.
#[derive(Debug, Clone, PartialEq)]
pub struct Endpoint {
    /// `ip:port` (`[ip]:port` for IPv6), as Envoy knows it.
    pub address: Arc<str>,
    /// `namespace/name` of the Pod behind it.
    pub pod: Arc<str>,
    /// What it is doing now.
    pub load: Load,
}

/// A snapshot of one endpoint's work.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Load {
    /// Requests that we sent and that have not ended.
    pub in_flight: u32,
}

/// What of a request the plugins may look at.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `namespace/name` of the ModelServer.
    pub target: &'a str,
    /// The name that the engine is asked for.
    pub model: &'a str,
}
