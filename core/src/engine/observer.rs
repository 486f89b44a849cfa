//! From page to page: what an engine is doing now.

use super::latency::Latency;
use super::{Adapters, Reading};
use crate::scheduling::Signals;

/// Follows one engine; it lives as long as its endpoint.
#[derive(Debug, Clone, Default)]
pub struct Observer {
    ttft: Latency,
    tpot: Latency,
}

/// What an engine is doing.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// For scheduling.
    pub signals: Signals,
    /// LoRA adapters in use; `None` where the engine does not say.
    pub adapters: Option<Adapters>,
    /// Whether it was started again since the last page: it has answered fewer requests than before.
    pub restarted: bool,
}

/// A page that is no page of this engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the page has no metric of the engine")]
pub struct Foreign;

impl Observer {
    /// Takes a page.
    ///
    /// # Errors
    /// No metric on it, not even one announced without a sample, is the engine's: another program, or another engine than was said.
    pub fn observe(&mut self, reading: &Reading) -> Result<Observation, Foreign> {
        if !reading.recognised {
            return Err(Foreign);
        }
        let restarted = reading.ttft().is_some_and(|totals| self.ttft.went_down(totals));
        let short = |figure: f64| figure as f32;
        let signals = Signals {
            running: reading.running(),
            waiting: reading.waiting(),
            kv_cache_usage: reading.kv_cache_usage().map(short),
            kv_cache_tokens: reading.kv_cache_tokens(),
            ttft: self.ttft.observe(reading.ttft()).map(short),
            tpot: self.tpot.observe(reading.tpot()).map(short),
            asleep: reading.asleep(),
        };
        Ok(Observation { signals, adapters: reading.adapters(), restarted })
    }
}
