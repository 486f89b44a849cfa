//! Plugins that rank endpoints.

use super::{Candidate, PrefixArguments, Random, Request};

mod gpu_usage;
mod least_latency;
mod least_request;
mod lora_affinity;
mod prefix_cache;
mod random;

pub use gpu_usage::GpuUsage;
pub use least_latency::LeastLatency;
pub use least_request::LeastRequest;
pub use lora_affinity::LoraAffinity;
pub use prefix_cache::PrefixCache;
pub use random::RandomScore;

/// Ranks endpoints that passed every filter.
pub trait Scorer: Send + Sync {
    /// Its name in the configuration file.
    fn name(&self) -> &'static str;

    /// Writes a score in [0, 1] for each candidate, 1 being best; `scores` has their length.
    fn score(&self, request: &Request<'_>, candidates: &[Candidate<'_>], random: &mut Random<'_>, scores: &mut [f64]);

    /// How prompts are to be hashed for it; `None` when it does not look at [`super::Known::matched`].
    fn prefix(&self) -> Option<PrefixArguments> {
        None
    }
}
