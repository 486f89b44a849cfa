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
    /// What the engine says of itself; `None` when it never said, or too long ago.
    pub signals: Option<Signals>,
}

/// What an engine's own metrics say, at the last scrape.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Signals {
    /// Requests that generate.
    pub running: u32,
    /// Requests that wait for a place.
    pub waiting: u32,
    /// Share of the KV cache in use, in [0, 1].
    pub kv_cache_usage: f64,
    /// Mean time to first token in seconds over the last interval that had any.
    pub ttft: Option<f64>,
    /// Mean time per output token in seconds, likewise.
    pub tpot: Option<f64>,
    /// Whether it is asleep: it answers health checks and no request.
    pub asleep: bool,
}

/// What of a request the plugins may look at.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `namespace/name` of the ModelServer.
    pub target: &'a str,
    /// The name that the engine is asked for.
    pub model: &'a str,
}
