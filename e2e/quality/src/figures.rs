//! An outcome in a line: what tables and pictures show.

use crate::outcome::{Outcome, mean, quantile};

/// Figures of a run, or means over several; times in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures {
    /// Requests answered in a second.
    pub throughput: f64,
    /// Mean time to first token.
    pub ttft: f64,
    /// Median time to first token.
    pub ttft_p50: f64,
    /// What one in a hundred waits longer than.
    pub ttft_p99: f64,
    /// Mean time to the last token.
    pub latency: f64,
    /// Share of prompt tokens found in a cache, in [0, 1].
    pub hit_rate: f64,
    /// Requests in flight at the busiest engine over the mean one's.
    pub imbalance: f64,
    /// Requests that were shed.
    pub shed: f64,
    /// Adapters that were loaded.
    pub adapter_loads: f64,
    /// Requests that lost their seat and were computed again.
    pub preemptions: f64,
}

// === impl Figures ===

impl Figures {
    /// Of one run.
    pub fn of(outcome: &Outcome) -> Self {
        Self {
            throughput: outcome.throughput(),
            ttft: mean(&outcome.ttft),
            ttft_p50: quantile(&outcome.ttft, 0.5),
            ttft_p99: quantile(&outcome.ttft, 0.99),
            latency: mean(&outcome.latency),
            hit_rate: outcome.hit_rate(),
            imbalance: outcome.imbalance(),
            shed: outcome.shed as f64,
            adapter_loads: outcome.adapter_loads as f64,
            preemptions: outcome.preemptions as f64,
        }
    }

    /// The mean of several, field by field; nothing of none.
    pub fn mean(of: &[Self]) -> Self {
        let mean = |field: fn(&Self) -> f64| of.iter().map(field).sum::<f64>() / of.len().max(1) as f64;
        Self {
            throughput: mean(|of| of.throughput),
            ttft: mean(|of| of.ttft),
            ttft_p50: mean(|of| of.ttft_p50),
            ttft_p99: mean(|of| of.ttft_p99),
            latency: mean(|of| of.latency),
            hit_rate: mean(|of| of.hit_rate),
            imbalance: mean(|of| of.imbalance),
            shed: mean(|of| of.shed),
            adapter_loads: mean(|of| of.adapter_loads),
            preemptions: mean(|of| of.preemptions),
        }
    }
}
