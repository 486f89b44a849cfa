//! How fast the simulated engines are, and what they are held against.
//!
//! Upstream Kthena published one set of figures (three replicas of a 7B model, 300 requests under way, two sets of
//! prompts that differ in their system prompts). The engine here is calibrated so that one policy, `random`, gives
//! about the published throughput on both sets. What the other policies give then follows, and is compared.
//!
//! The sets as described cannot both have run on one engine: a short prompt has 2,304 tokens in all, a long one 2,048
//! that no other prompt shares, yet the long set ran up to four times as fast. If the question of the long set has
//! [`LONG_QUESTION`] tokens, one engine gives both. The long set as described is run too.

use std::time::Duration;

use kthena_simulator::Options;

use crate::workload::Sizes;

/// One of the calibrated engines.
///
/// `kthena-simulator --ttft 30ms --tpot 11ms --prefill-rate 7000 --decode-slowdown 0.01 --block-size 128
/// --num-gpu-blocks 7000 --max-num-seqs 256 --max-num-batched-tokens 65536 --max-model-len 32768` is the same on a
/// port. Block size, sequences, batch and context length are the published ones. The cache, 896,000 tokens, is what
/// an 80 GB card has left beside a 7B model whose tokens take 56 KB; the four figures of speed are calibrated.
pub fn engine() -> Options {
    let mut options = Options {
        ttft: Duration::from_millis(30),
        tpot: Duration::from_millis(11),
        max_model_len: 32_768,
        ..Options::default()
    };
    let capacity = &mut options.capacity;
    capacity.prefill_rate = Some(7_000.0);
    capacity.decode_slowdown = 0.01;
    capacity.block_size = 128;
    capacity.num_gpu_blocks = Some(7_000);
    capacity.max_num_seqs = 256;
    capacity.max_num_batched_tokens = 65_536;
    options
}

/// Groups of prompts in the published sets, and prompts of a group: the published 32, and before them 8 of
/// [`WARM_UP`].
pub const GROUPS: (u64, usize) = (256, 40);

/// Requests of the published sets that do not count. Each set was run three times on the same engines, so that two
/// of three runs met caches that held something.
pub const WARM_UP: u64 = 256 * 8;

/// Tokens of a question in the long set: see above.
pub const LONG_QUESTION: u32 = 256;

/// The published long set, with our [`LONG_QUESTION`].
pub const LONG: Sizes = Sizes { system: 4_096, question: LONG_QUESTION, answer: 256 };

/// The published long set, as described.
pub const LONG_AS_DESCRIBED: Sizes = Sizes { question: 2_048, ..LONG };

/// The published short set.
pub const SHORT: Sizes = Sizes { system: 256, question: 2_048, answer: 256 };

/// A published row: requests a second, mean latency and mean TTFT in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Published {
    /// Requests a second.
    pub throughput: f64,
    /// Mean, in seconds.
    pub latency: f64,
    /// Mean, in seconds.
    pub ttft: f64,
}

const fn published(throughput: f64, latency: f64, ttft: f64) -> Option<Published> {
    Some(Published { throughput, latency, ttft })
}

/// What upstream published for the long set, by our name of the policy.
pub fn published_long(policy: &str) -> Option<Published> {
    match policy {
        "least-request + KV-aware" => published(32.22, 9.22, 0.57),
        "upstream then: least-request + prefix-cache" => published(23.87, 12.47, 0.83),
        "random" => published(11.81, 25.23, 2.15),
        "upstream then: least-request" => published(9.86, 30.13, 12.46),
        "upstream: gpu-usage" => published(9.56, 30.92, 13.14),
        "upstream: least-latency" => published(9.47, 31.44, 11.07),
        _ => None,
    }
}

/// What upstream published for the short set, by our name of the policy.
pub fn published_short(policy: &str) -> Option<Published> {
    match policy {
        "least-request + KV-aware" => published(8.08, 36.67, 12.19),
        "upstream then: least-request + prefix-cache" => published(8.30, 35.84, 11.00),
        "random" => published(8.21, 36.25, 4.54),
        "upstream then: least-request" => published(7.98, 37.27, 13.88),
        "upstream: gpu-usage" => published(7.77, 38.15, 15.03),
        "upstream: least-latency" => published(7.09, 41.91, 15.46),
        _ => None,
    }
}
