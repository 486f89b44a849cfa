//! Plugins that rank endpoints.

use super::{Candidate, Random, Request};

/// Ranks endpoints that passed every filter.
pub trait Scorer: Send + Sync {
    /// Its name in the configuration file.
    fn name(&self) -> &'static str;

    /// Writes a score in [0, 1] for each candidate, 1 being best; `scores` has their length.
    fn score(&self, request: &Request<'_>, candidates: &[Candidate<'_>], random: &mut Random<'_>, scores: &mut [f64]);
}

/// The fewer requests ([`super::Load::requests`]), the better: an idle candidate scores 1, the busiest 0, and all
/// score 1 when none has any.
#[derive(Debug, Clone, Copy, Default)]
pub struct LeastRequest;

/// A uniform score.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomScore;

// === impl LeastRequest ===

impl Scorer for LeastRequest {
    fn name(&self) -> &'static str {
        "least-request"
    }

    fn score(&self, _: &Request<'_>, candidates: &[Candidate<'_>], _: &mut Random<'_>, scores: &mut [f64]) {
        let busiest = candidates.iter().map(|candidate| candidate.load.requests()).max().unwrap_or(0);
        for (candidate, score) in candidates.iter().zip(scores) {
            *score = if busiest == 0 { 1.0 } else { 1.0 - f64::from(candidate.load.requests()) / f64::from(busiest) };
        }
    }
}

// === impl RandomScore ===

impl Scorer for RandomScore {
    fn name(&self) -> &'static str {
        "random"
    }

    fn score(&self, _: &Request<'_>, _: &[Candidate<'_>], random: &mut Random<'_>, scores: &mut [f64]) {
        for score in scores {
            // The upper 53 bits fill a double's mantissa: uniform in [0, 1).
            *score = (random() >> 11) as f64 / (1u64 << 53) as f64;
        }
    }
}
