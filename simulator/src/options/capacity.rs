//! How much one simulated engine can do at a time. Flags that vLLM has too have its names.

use std::time::Duration;

use crate::engine::{parse_rate, parse_slowdown};

/// The flags of batching, cache and LoRA slots.
#[derive(Debug, Clone, PartialEq, clap::Args)]
pub struct Capacity {
    /// Sequences that run at the same time; others wait.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = at_least_one())]
    pub max_num_seqs: u32,

    /// Tokens of one step: what running sequences leave of it is for prompts (only with --prefill-rate).
    #[arg(long, value_name = "N", default_value_t = 8192, value_parser = at_least_one())]
    pub max_num_batched_tokens: u32,

    /// A request is refused when more than so many would be here, waiting or running; each choice counts
    /// [default: none is refused].
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    pub max_num_queued_reqs: Option<u32>,

    /// Prompt tokens that are computed in a second, one prompt after the other, while no other token
    /// comes [default: a prompt's length costs no time].
    #[arg(long, value_name = "TOKENS", value_parser = parse_rate)]
    pub prefill_rate: Option<f64>,

    /// Share of --tpot by which each further running sequence slows the tokens of all: with 0.01, a
    /// hundred and one take twice as long as one.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = parse_slowdown)]
    pub decode_slowdown: f64,

    /// Tokens of one block of the KV cache.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = at_least_one())]
    pub block_size: u32,

    /// Blocks of the KV cache [default: 32768, or more if the context length needs more].
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    pub num_gpu_blocks: Option<u32>,

    /// Keeps no blocks of earlier prompts.
    #[arg(long)]
    pub no_enable_prefix_caching: bool,

    /// LoRA adapters that sequences run with at the same time.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = at_least_one())]
    pub max_loras: u32,

    /// How long an adapter takes to load when it is first used, or again after others took its place.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = humantime::parse_duration)]
    pub lora_load_time: Duration,
}

const DEFAULT_BLOCKS: u32 = 32_768;

fn at_least_one() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..)
}

// === impl Capacity ===

impl Capacity {
    /// Blocks of the cache, for sequences of up to `max_model_len` tokens.
    pub(super) fn blocks(&self, max_model_len: u32) -> u32 {
        let needed = max_model_len.div_ceil(self.block_size.max(1));
        self.num_gpu_blocks.unwrap_or(DEFAULT_BLOCKS.max(needed))
    }
}

impl Default for Capacity {
    fn default() -> Self {
        Self {
            max_num_seqs: 256,
            max_num_batched_tokens: 8192,
            max_num_queued_reqs: None,
            prefill_rate: None,
            decode_slowdown: 0.0,
            block_size: 16,
            num_gpu_blocks: None,
            no_enable_prefix_caching: false,
            max_loras: 8,
            lora_load_time: Duration::ZERO,
        }
    }
}
