//! Counts what the scheduler does.

use std::time::Duration;

use super::sequence::Sequence;
use super::stats::{Bounds, Latencies, Sizes, Totals};

/// All counters and histograms of one engine.
#[derive(Debug)]
pub struct Recorder {
    pub totals: Totals,
    pub latencies: Latencies,
    pub sizes: Sizes,
}

// === impl Recorder ===

impl Recorder {
    pub fn new(bounds: &Bounds) -> Self {
        Self { totals: Totals::default(), latencies: Latencies::new(bounds), sizes: Sizes::new(bounds) }
    }

    /// A sequence got its first seat; `looked_up` says whether the prefix cache was asked.
    pub fn admitted(&mut self, sequence: &Sequence, looked_up: bool, now: Duration) {
        self.latencies.queue.observe_time(now.saturating_sub(sequence.arrived));
        if looked_up {
            self.totals.prefix_queries += sequence.prompt.tokens;
            self.totals.prefix_hits += u64::from(sequence.cached);
        }
    }

    /// A token came; `before` is when the one before it came, if there was one.
    pub fn token(&mut self, sequence: &Sequence, before: Option<Duration>, now: Duration) {
        self.totals.generation_tokens += 1;
        if let Some(before) = before {
            self.latencies.inter_token.observe_time(now.saturating_sub(before));
            return;
        }
        let (prompt, cached) = (sequence.prompt.tokens, u64::from(sequence.cached));
        self.totals.prompt_tokens += prompt;
        self.totals.prompt_tokens_cached += cached;
        self.totals.prompt_tokens_computed += prompt.saturating_sub(cached);
        self.latencies.time_to_first_token.observe_time(now.saturating_sub(sequence.arrived));
    }

    /// A sequence has all its tokens.
    pub fn finished(&mut self, sequence: &Sequence) {
        self.totals.ended.length += 1;
        let (last, arrived) = (sequence.last_token, sequence.arrived);
        let admitted = sequence.admitted.unwrap_or(arrived);
        let first = sequence.first_token.unwrap_or(last);
        let decode = last.saturating_sub(first);
        self.latencies.end_to_end.observe_time(last.saturating_sub(arrived));
        self.latencies.prefill.observe_time(first.saturating_sub(admitted));
        self.latencies.inference.observe_time(last.saturating_sub(admitted));
        self.latencies.decode.observe_time(decode);
        if sequence.done > 1 {
            self.latencies.time_per_output_token.observe_time(decode / (sequence.done - 1));
        }
        self.sizes.prompt_tokens.observe(sequence.prompt.tokens as f64);
        let computed = sequence.prompt.tokens.saturating_sub(sequence.cached.into());
        self.sizes.computed_prompt_tokens.observe(computed as f64);
        self.sizes.generation_tokens.observe(sequence.done.into());
        self.sizes.max_tokens.observe(sequence.length.into());
        self.sizes.preemptions.observe(sequence.preemptions.into());
    }
}
