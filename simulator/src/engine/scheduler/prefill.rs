//! Prompts are computed, chunk by chunk.

use std::time::Duration;

use super::{Phase, Scheduler};

// === impl Scheduler ===

impl Scheduler {
    /// A chunk ends, or the next one begins.
    pub(super) fn prefill(&mut self, now: Duration) {
        // Those that are past their prefill get a token before the next chunk.
        let decoding = self.decoding.len();
        let gap = if decoding == 0 { Duration::ZERO } else { self.config.pace.step(decoding) };
        match self.lane.end(now.saturating_add(gap)) {
            Some(parts) => parts.into_iter().for_each(|(id, tokens)| self.computed(id, tokens, now)),
            None => self.begin_chunk(now),
        }
    }

    /// Fills a step with prompt tokens, after one for each sequence that decodes.
    fn begin_chunk(&mut self, now: Duration) {
        let taken = self.decoding.len() as u64;
        let mut budget = u64::from(self.config.max_num_batched_tokens).saturating_sub(taken).max(1);
        let mut parts = Vec::new();
        for id in self.lane.queued() {
            let Some(Phase::Prefilling(left)) = self.sequences.get(&id).map(|sequence| sequence.phase) else {
                continue;
            };
            let part = left.min(budget);
            parts.push((id, part));
            budget -= part;
            if budget == 0 {
                break;
            }
        }
        let tokens = parts.iter().map(|(_, part)| part).sum();
        let time = self.config.pace.prefill(tokens).unwrap_or_default();
        self.lane.begin(parts, time, now);
    }

    fn computed(&mut self, id: u64, tokens: u64, now: Duration) {
        // It may be gone, or back in the queue, or even seated again.
        let Some(sequence) = self.sequences.get_mut(&id) else {
            return;
        };
        if let Phase::Prefilling(left) = &mut sequence.phase {
            *left = left.saturating_sub(tokens);
            if *left == 0 {
                self.lane.remove(id);
                self.start(id, now);
            }
        }
    }
}
