//! `random`

use super::Scorer;
use crate::scheduling::{Candidate, Random, Request};

/// A uniform score.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomScore;

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
