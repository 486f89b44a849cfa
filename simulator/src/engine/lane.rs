//! Prefill: prompts are computed in order of admission, a chunk of at most one step's tokens at a time,
//! and no other token comes meanwhile.
//!
//! This is chunked prefill seen from outside: a step that computes prompt tokens is longer by the time
//! that they take. Between two chunks, sequences that are past their prefill get a token each. What makes
//! it simple is a second clock for decoding, which stands still during a chunk: nobody's next token has
//! to be moved when a chunk begins.

use std::collections::VecDeque;
use std::time::Duration;

/// The prefills under way; times are those of the engine's clock.
#[derive(Debug, Default)]
pub struct Lane {
    /// Sequences in order of admission.
    queue: VecDeque<u64>,
    chunk: Option<Chunk>,
    /// When the next chunk may begin.
    free: Duration,
    /// How long the decode clock has stood still by the end of the present chunk.
    stood: Duration,
}

#[derive(Debug)]
struct Chunk {
    ends: Duration,
    /// Sequences and how many of their tokens are in it.
    parts: Vec<(u64, u64)>,
}

// === impl Lane ===

impl Lane {
    pub fn push(&mut self, sequence: u64) {
        self.queue.push_back(sequence);
    }

    /// Forgets a sequence; a chunk with tokens of it goes on.
    pub fn remove(&mut self, sequence: u64) {
        self.queue.retain(|queued| *queued != sequence);
    }

    /// Forgets everything; the decode clock runs on from `now`.
    pub fn clear(&mut self, now: Duration) {
        self.queue.clear();
        if let Some(chunk) = self.chunk.take() {
            self.stood = self.stood.saturating_sub(chunk.ends.saturating_sub(now));
        }
        self.free = Duration::ZERO;
    }

    /// When something happens here next: a chunk's end or beginning.
    pub fn next(&self, now: Duration) -> Option<Duration> {
        match &self.chunk {
            Some(chunk) => Some(chunk.ends),
            None => (!self.queue.is_empty()).then_some(self.free.max(now)),
        }
    }

    /// What is to be computed, oldest first.
    pub fn queued(&self) -> impl Iterator<Item = u64> {
        self.queue.iter().copied()
    }

    /// Begins a chunk that takes `time`.
    pub fn begin(&mut self, parts: Vec<(u64, u64)>, time: Duration, now: Duration) {
        self.stood = self.stood.saturating_add(time);
        self.chunk = Some(Chunk { ends: now.saturating_add(time), parts });
    }

    /// Ends the chunk, if there is one; the next may begin at `free`.
    pub fn end(&mut self, free: Duration) -> Option<Vec<(u64, u64)>> {
        let chunk = self.chunk.take()?;
        self.free = free;
        Some(chunk.parts)
    }

    /// The decode clock's time; during a chunk, that of its end.
    pub fn decode_time(&self, now: Duration) -> Duration {
        let ends = self.chunk.as_ref().map_or(Duration::ZERO, |chunk| chunk.ends);
        now.max(ends).saturating_sub(self.stood)
    }

    /// When the decode clock will show `time`, if no further chunk begins.
    pub fn real_time(&self, time: Duration) -> Duration {
        time.saturating_add(self.stood)
    }
}
