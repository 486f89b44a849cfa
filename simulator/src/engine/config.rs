//! What an engine can do, and how fast.

use std::time::Duration;

use anyhow::ensure;

use super::Pace;
use super::stats::{Bounds, Cache};

/// The limits and the speed of one engine.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub pace: Pace,
    /// Of the generated text.
    pub seed: u64,
    /// Context length in tokens.
    pub max_model_len: u32,
    /// Sequences that run at the same time, at least one.
    pub max_num_seqs: u32,
    /// Tokens of one step, at least one: what the running sequences leave of it, prefill gets.
    pub max_num_batched_tokens: u32,
    /// Sequences that may be here, running or not; none: any number.
    pub max_num_queued_reqs: Option<u32>,
    pub cache: Cache,
    /// LoRA slots, at least one.
    pub max_loras: u32,
    /// How long an adapter takes to get into its slot.
    pub lora_load_time: Duration,
    pub bounds: Bounds,
}

// === impl Config ===

impl Config {
    /// # Errors
    ///
    /// A cache that cannot hold one sequence of the context's length; the message names the flags.
    pub fn check(&self) -> anyhow::Result<()> {
        let Cache { block_size, blocks, .. } = self.cache;
        let needed = self.max_model_len.div_ceil(block_size.max(1));
        ensure!(
            blocks >= needed,
            "--num-gpu-blocks {blocks}: one sequence of --max-model-len {} needs {needed} blocks of --block-size \
             {block_size}; give more blocks or a shorter context",
            self.max_model_len
        );
        Ok(())
    }

    /// Blocks that so many tokens take.
    pub fn blocks(&self, tokens: u64) -> usize {
        tokens.div_ceil(self.cache.block_size.max(1).into()) as usize
    }
}
