//! What an engine says of itself: plain figures, for a face to put in its own words.

use std::time::{Duration, SystemTime};

use super::histogram::Histogram;

/// One moment of an engine.
#[derive(Debug, Clone, PartialEq)]
pub struct Stats {
    /// When the engine started.
    pub started: SystemTime,
    /// Sequences (choices of requests) that hold a seat and cache blocks.
    pub running: u64,
    pub waiting: Waiting,
    /// Share of the cache blocks that running sequences hold, from 0 to 1.
    pub kv_cache_usage: f64,
    pub sleep: Sleep,
    pub cache: Cache,
    pub adapters: Adapters,
    pub totals: Totals,
    pub latencies: Latencies,
    pub sizes: Sizes,
}

/// Sequences that wait for a seat.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    /// For a seat or for cache blocks.
    pub capacity: u64,
    /// For an adapter's slot; others may overtake these.
    pub deferred: u64,
}

/// Whether the engine works.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sleep {
    #[default]
    Awake,
    /// Level 1.
    WeightsOffloaded,
    /// Level 2.
    DiscardAll,
}

/// The KV cache's shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cache {
    /// Tokens of one block.
    pub block_size: u32,
    pub blocks: u32,
    pub prefix_caching: bool,
}

/// The state of the LoRA slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapters {
    /// Slots.
    pub max: u32,
    /// Names with a running sequence, sorted.
    pub running: Vec<String>,
    /// Names with a waiting sequence, sorted.
    pub waiting: Vec<String>,
    /// When either list changed last; the engine's start if never.
    pub changed: SystemTime,
}

/// What only grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Prompt tokens of sequences whose prefill is done; those read from the cache count too.
    pub prompt_tokens: u64,
    /// Of these, computed here.
    pub prompt_tokens_computed: u64,
    /// Of these, taken from the prefix cache.
    pub prompt_tokens_cached: u64,
    pub generation_tokens: u64,
    /// Tokens looked up in the prefix cache.
    pub prefix_queries: u64,
    /// Tokens found there.
    pub prefix_hits: u64,
    pub preemptions: u64,
    pub ended: Ended,
    /// Requests refused because too many were here.
    pub rejected_queued_requests: u64,
}

/// Sequences by why they ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ended {
    /// All tokens that were asked for.
    pub length: u64,
    /// The client went away.
    pub abort: u64,
}

/// Seconds, by sequence unless said otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct Latencies {
    /// From arrival to the first token.
    pub time_to_first_token: Histogram,
    /// Between two tokens of a sequence; one entry for each pair.
    pub inter_token: Histogram,
    /// The mean time of a token after the first.
    pub time_per_output_token: Histogram,
    /// From arrival to the end.
    pub end_to_end: Histogram,
    /// From arrival to a seat.
    pub queue: Histogram,
    /// From a seat to the first token.
    pub prefill: Histogram,
    /// From the first token to the last.
    pub decode: Histogram,
    /// From a seat to the last token.
    pub inference: Histogram,
}

/// Tokens or pieces, by sequence unless said otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct Sizes {
    pub prompt_tokens: Histogram,
    pub generation_tokens: Histogram,
    /// Prompt tokens that were computed: those not found in the cache.
    pub computed_prompt_tokens: Histogram,
    /// Tokens that were asked for.
    pub max_tokens: Histogram,
    pub preemptions: Histogram,
    /// Choices of each prompt, by prompt.
    pub copies: Histogram,
}

/// Upper bounds of the histograms' buckets, which differ from one kind of engine to another.
#[derive(Debug, Clone, PartialEq)]
pub struct Bounds {
    pub time_to_first_token: Vec<f64>,
    pub inter_token: Vec<f64>,
    pub time_per_output_token: Vec<f64>,
    /// Of end to end, queue, prefill, decode and inference time.
    pub request_time: Vec<f64>,
    /// Of prompt, generation and maximal tokens.
    pub tokens: Vec<f64>,
}

// === impl Waiting ===

impl Waiting {
    pub fn total(&self) -> u64 {
        self.capacity + self.deferred
    }
}

// === impl Bounds ===

impl Bounds {
    /// Those of vLLM 0.32 (`vllm/v1/metrics/buckets.py`).
    pub fn vllm(max_model_len: u32) -> Self {
        let token_times =
            [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0];
        Self {
            time_to_first_token: vec![
                0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0,
                80.0, 160.0, 640.0, 2560.0,
            ],
            inter_token: token_times.to_vec(),
            time_per_output_token: token_times.to_vec(),
            request_time: vec![
                0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0,
                960.0, 1920.0, 7680.0,
            ],
            tokens: one_two_five(max_model_len),
        }
    }
}

/// 1, 2, 5, 10, 20, 50 and so on, as far as `limit`.
fn one_two_five(limit: u32) -> Vec<f64> {
    let decades = std::iter::successors(Some(1_u64), |decade| decade.checked_mul(10));
    let bounds = decades.flat_map(|decade| [1, 2, 5].map(|step| decade.saturating_mul(step)));
    bounds.take_while(|bound| *bound <= u64::from(limit)).map(|bound| bound as f64).collect()
}

// === impl Latencies ===

impl Latencies {
    pub(super) fn new(bounds: &Bounds) -> Self {
        let request_time = Histogram::new(&bounds.request_time);
        Self {
            time_to_first_token: Histogram::new(&bounds.time_to_first_token),
            inter_token: Histogram::new(&bounds.inter_token),
            time_per_output_token: Histogram::new(&bounds.time_per_output_token),
            end_to_end: request_time.clone(),
            queue: request_time.clone(),
            prefill: request_time.clone(),
            decode: request_time.clone(),
            inference: request_time,
        }
    }
}

// === impl Sizes ===

impl Sizes {
    pub(super) fn new(bounds: &Bounds) -> Self {
        let tokens = Histogram::new(&bounds.tokens);
        Self {
            prompt_tokens: tokens.clone(),
            generation_tokens: tokens.clone(),
            computed_prompt_tokens: tokens.clone(),
            max_tokens: tokens,
            preemptions: Histogram::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 10.0, 20.0]),
            copies: Histogram::new(&[1.0, 2.0, 5.0, 10.0, 20.0]),
        }
    }
}

/// A point of the engine's own clock on the wall's.
pub(super) fn wall(started: SystemTime, now: Duration) -> SystemTime {
    started.checked_add(now).unwrap_or(started)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_buckets_end_at_the_context_length() {
        assert_eq!(Bounds::vllm(60).tokens, [1.0, 2.0, 5.0, 10.0, 20.0, 50.0]);
        assert_eq!(Bounds::vllm(131_072).tokens.last(), Some(&100_000.0));
        assert_eq!(Bounds::vllm(u32::MAX).tokens.last(), Some(&2e9));
    }
}
