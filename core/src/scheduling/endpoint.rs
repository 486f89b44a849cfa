//! What is chosen from, and for what.

use crate::engine::Model;
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
    /// The models and adapters that it serves; `None` when it never said, and in picks, where no plugin looks at them.
    pub models: Option<Arc<Vec<Model>>>,
}

/// A snapshot of one endpoint's work.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Load {
    /// Requests that we sent and that have not ended.
    pub in_flight: u32,
    /// What the engine says of itself; `None` when it never said, or too long ago.
    pub signals: Option<Signals>,
}

/// What an engine's own metrics say, at the last scrape; `None` for what they do not.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Signals {
    /// Requests that generate.
    pub running: Option<u32>,
    /// Requests that wait for a place.
    pub waiting: Option<u32>,
    /// Share of the KV cache in use, in [0, 1].
    pub kv_cache_usage: Option<f64>,
    /// Mean time to first token in seconds over the last interval that had any.
    pub ttft: Option<f64>,
    /// Mean time per output token in seconds, likewise.
    pub tpot: Option<f64>,
    /// Whether it is asleep: it answers health checks and no request.
    pub asleep: bool,
}

impl Load {
    /// Requests that the endpoint has, as far as we know: max(in flight, running + waiting).
    ///
    /// The engine sees what other routers sent, and what we sent before we were started again; we see what was
    /// sent since the last scrape. What both see must count once, hence the larger. Upstream adds
    /// 100 * (in flight - running) to what is in flight, which weighs a request that no scrape has seen yet a
    /// hundred times one that runs: between two scrapes all requests shun whichever endpoint got the last one.
    pub fn requests(&self) -> u32 {
        let signals = self.signals.unwrap_or_default();
        self.in_flight.max(signals.running.unwrap_or(0).saturating_add(signals.waiting.unwrap_or(0)))
    }

    /// Whether it said that it is asleep.
    pub fn asleep(&self) -> bool {
        self.signals.is_some_and(|signals| signals.asleep)
    }
}

/// What of a request the plugins may look at.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `namespace/name` of the ModelServer.
    pub target: &'a str,
    /// The name that the engine is asked for.
    pub model: &'a str,
}
