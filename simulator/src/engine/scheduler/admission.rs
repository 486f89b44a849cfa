//! Who gets a seat.

use std::time::Duration;

use super::{Phase, Scheduler};

// === impl Scheduler ===

impl Scheduler {
    /// Seats waiting sequences, oldest first, as long as there are seats and blocks.
    pub(super) fn admit(&mut self, now: Duration) {
        self.clock = self.clock.max(now);
        // Never before what was done already.
        let now = self.clock;
        if !self.awake() {
            return;
        }
        let mut from = i64::MIN;
        while self.running.len() < self.config.max_num_seqs as usize {
            let Some((place, id)) = self.waiting.range(from..).next().map(|(place, id)| (*place, *id)) else {
                return;
            };
            from = place + 1;
            let adapter = self.sequences.get(&id).and_then(|sequence| sequence.adapter.clone());
            if adapter.as_ref().is_some_and(|adapter| !self.slots.claim(adapter, now)) {
                continue;
            }
            if !self.seat(id, now) {
                return;
            }
            self.waiting.remove(&place);
            if let Some(adapter) = adapter {
                self.slots.wait(&adapter, false, now);
                self.slots.begin(&adapter, now);
            }
        }
    }

    /// When an adapter that someone may wait for is loaded.
    pub(super) fn next_adapter(&self) -> Option<Duration> {
        if self.waiting.is_empty() { None } else { self.slots.next_ready(self.clock) }
    }

    /// Gives a sequence the blocks that it needs, and its seat; false if there are too few.
    fn seat(&mut self, id: u64, now: Duration) -> bool {
        let Some(sequence) = self.sequences.get_mut(&id) else {
            return true;
        };
        let (tokens, block_size) =
            (sequence.tokens(self.config.max_model_len), u64::from(self.config.cache.block_size));
        // The last token is always computed: its outcome is what the next one is drawn from.
        let reusable = ((tokens - 1) / block_size) as usize;
        let found = self.pool.found(sequence.hashes().take(reusable));
        let needed = self.config.blocks(tokens);
        let Some(blocks) = self.pool.take(sequence.hashes().take(found), needed - found) else {
            return false;
        };
        for (block, hash) in blocks.iter().zip(sequence.hashes()).skip(found) {
            self.pool.fill(*block, hash);
        }
        sequence.blocks = blocks;
        sequence.seat = self.next_seat;
        self.running.insert(self.next_seat, id);
        self.next_seat += 1;
        let cached = found as u64 * block_size;
        if sequence.admitted.is_none() {
            sequence.admitted = Some(now);
            sequence.cached = cached as u32;
            self.recorder.admitted(sequence, self.config.cache.prefix_caching, now);
        }
        match self.config.pace.prefill(tokens - cached) {
            Some(_) => {
                sequence.phase = Phase::Prefilling(tokens - cached);
                self.lane.push(id);
            }
            None => self.start(id, now),
        }
        true
    }

    /// The prefill of a sequence is done.
    pub(super) fn start(&mut self, id: u64, now: Duration) {
        if let Some(sequence) = self.sequences.get_mut(&id) {
            let at = now.saturating_add(self.config.pace.first_token());
            sequence.phase = Phase::Starting(at);
            self.starting.insert((at, id));
        }
    }
}
