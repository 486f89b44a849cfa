//! `least-request`

use super::Scorer;
use crate::scheduling::tuning::FEW;
use crate::scheduling::{Candidate, Random, Request};

/// The fewer requests ([`crate::scheduling::Load::requests`]), the better: an idle candidate scores 1, and each request
/// takes 1/16 from that, or less where the busiest candidate has more than 16: that one scores 0.
#[derive(Debug, Clone, Copy, Default)]
pub struct LeastRequest;

// === impl LeastRequest ===

impl Scorer for LeastRequest {
    fn name(&self) -> &'static str {
        "least-request"
    }

    fn score(&self, _: &Request<'_>, candidates: &[Candidate<'_>], _: &mut Random<'_>, scores: &mut [f64]) {
        let busiest = candidates.iter().map(|candidate| candidate.work).fold(f64::from(FEW), f64::max);
        for (candidate, score) in candidates.iter().zip(scores) {
            *score = 1.0 - candidate.work / busiest;
        }
    }
}
