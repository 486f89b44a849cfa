//! One choice of one request, from its arrival to its last token.

use std::sync::Arc;
use std::time::Duration;

use super::blocks::BlockId;
use super::chain::Chain;
use super::words::Words;

/// A sequence; times are those of the engine's clock.
#[derive(Debug)]
pub struct Sequence {
    pub request: u64,
    /// Its index in the request.
    pub choice: u32,
    pub adapter: Option<Arc<str>>,
    pub prompt: Arc<PromptBlocks>,
    /// Tokens that it shall have.
    pub length: u32,
    /// Tokens that it has.
    pub done: u32,
    /// What it says.
    pub words: Words,
    /// Prompt and answer so far.
    pub chain: Chain,
    /// Full blocks of the answer.
    pub answered: Vec<u64>,
    /// What it holds of the cache.
    pub blocks: Vec<BlockId>,
    pub phase: Phase,
    /// Its key among the running ones: the order of admission.
    pub seat: u64,
    pub preemptions: u32,
    /// Prompt tokens found in the cache when it was first admitted.
    pub cached: u32,
    pub arrived: Duration,
    pub admitted: Option<Duration>,
    pub first_token: Option<Duration>,
    pub last_token: Duration,
}

/// What all choices of a prompt share.
#[derive(Debug)]
pub struct PromptBlocks {
    /// Length in tokens.
    pub tokens: u64,
    /// Hashes of its full blocks.
    pub hashes: Box<[u64]>,
    /// Goes on with the answer.
    pub chain: Chain,
}

/// What a sequence is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// With its key in the waiting queue.
    Waiting(i64),
    /// Prompt tokens that are still to be computed.
    Prefilling(u64),
    /// Prefill is done; the token comes at this time.
    Starting(Duration),
    /// The next token comes at this time of the decode clock, which stands still during prefills.
    Decoding(Duration),
}

// === impl PromptBlocks ===

impl PromptBlocks {
    /// Of a prompt longer than `limit` tokens, the rest is not cached.
    pub fn new(mut chain: Chain, ids: &[u32], limit: u32) -> Self {
        let kept = ids.iter().take(limit as usize);
        let hashes = kept.filter_map(|id| chain.push(*id)).collect();
        Self { tokens: ids.len() as u64, hashes, chain }
    }
}

// === impl Sequence ===

impl Sequence {
    /// Tokens that the cache must hold before the next one can be computed; no more than `limit`.
    pub fn tokens(&self, limit: u32) -> u64 {
        self.prompt.tokens.saturating_add(self.done.into()).clamp(1, limit.into())
    }

    /// Hashes of its full blocks.
    pub fn hashes(&self) -> impl Iterator<Item = u64> {
        self.prompt.hashes.iter().chain(&self.answered).copied()
    }

    /// Says the next word. The hash of the block that it completes, if it does.
    pub fn say(&mut self, now: Duration) -> Option<u64> {
        let word = self.words.next(self.done);
        self.done += 1;
        self.last_token = now;
        let hash = self.chain.push(word.id)?;
        self.answered.push(hash);
        Some(hash)
    }
}
