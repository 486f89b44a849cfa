//! Tokens come.

use std::time::Duration;

use super::{Moved, Phase, Scheduler};

// === impl Scheduler ===

impl Scheduler {
    /// The first token after a prefill, of the sequence whose turn it is.
    pub(super) fn first_token(&mut self, now: Duration) {
        if let Some((_, id)) = self.starting.pop_first() {
            let time = self.lane.decode_time(now);
            self.step(id, time, now);
        }
    }

    /// A further token.
    pub(super) fn token(&mut self, now: Duration) {
        if let Some((time, id)) = self.decoding.pop_first() {
            self.step(id, time, now);
        }
    }

    /// `time` is now, on the decode clock.
    fn step(&mut self, id: u64, time: Duration, now: Duration) {
        // This sequence is in none of the two queues at present.
        let next = time.saturating_add(self.config.pace.step(self.decoding.len() + 1));
        let Some(sequence) = self.sequences.get_mut(&id) else {
            return;
        };
        let before = sequence.first_token.map(|_| sequence.last_token);
        sequence.first_token.get_or_insert(now);
        self.recorder.token(sequence, before, now);
        let full = sequence.say(now);
        let (request, choice, done, cached) = (sequence.request, sequence.choice, sequence.done, sequence.cached);
        self.moved.push(Moved { request, choice, done, cached });
        if sequence.done >= sequence.length {
            self.finish(id, now);
            return;
        }
        sequence.phase = Phase::Decoding(next);
        self.decoding.insert((next, id));
        let needed = self.config.blocks(sequence.tokens(self.config.max_model_len));
        let block = sequence.prompt.hashes.len() + sequence.answered.len();
        if (sequence.blocks.len() >= needed || self.grow(id, needed, now))
            && let Some(hash) = full
        {
            self.fill(id, block - 1, hash);
        }
    }

    /// Finds room for the token that just came, at the expense of the youngest if need be. False if
    /// that is the sequence itself.
    fn grow(&mut self, id: u64, needed: usize, now: Duration) -> bool {
        loop {
            let Some(sequence) = self.sequences.get_mut(&id).filter(|sequence| sequence.blocks.len() < needed) else {
                return true;
            };
            if let Some(block) = self.pool.take_one() {
                sequence.blocks.push(block);
                continue;
            }
            let Some(youngest) = self.running.last_key_value().map(|(_, id)| *id) else {
                return false;
            };
            self.preempt(youngest, now);
            if youngest == id {
                return false;
            }
        }
    }

    /// A block of the sequence is full.
    fn fill(&mut self, id: u64, index: usize, hash: u64) {
        if let Some(block) = self.sequences.get(&id).and_then(|sequence| sequence.blocks.get(index)) {
            self.pool.fill(*block, hash);
        }
    }

    fn preempt(&mut self, id: u64, now: Duration) {
        self.back_to_queue(id, now);
        self.recorder.totals.preemptions += 1;
        if let Some(sequence) = self.sequences.get_mut(&id) {
            sequence.preemptions += 1;
        }
    }

    fn finish(&mut self, id: u64, now: Duration) {
        self.leave(id, now);
        let Some(sequence) = self.sequences.remove(&id) else {
            return;
        };
        self.recorder.finished(&sequence);
        if let Some(request) = self.requests.get_mut(&sequence.request) {
            request.left = request.left.saturating_sub(1);
            if request.left == 0 {
                self.requests.remove(&sequence.request);
            }
        }
        self.admit(now);
    }
}
