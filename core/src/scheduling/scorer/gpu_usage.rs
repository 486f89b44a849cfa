//! `gpu-usage`

use super::Scorer;
use crate::scheduling::{Candidate, Load, Random, Request};

/// The emptier the KV cache now ([`crate::scheduling::Load::kv_cache_usage`]), the better: 1 - usage.
///
/// A candidate that does not say scores as those that do on average, and all score 1 when none says: an engine whose
/// page cannot be read is neither shunned nor sought.
#[derive(Debug, Clone, Copy, Default)]
pub struct GpuUsage;

// === impl GpuUsage ===

impl Scorer for GpuUsage {
    fn name(&self) -> &'static str {
        "gpu-usage"
    }

    fn score(&self, _: &Request<'_>, candidates: &[Candidate<'_>], _: &mut Random<'_>, scores: &mut [f64]) {
        let loads = || candidates.iter().map(|candidate| candidate.load);
        // An idle engine that does not say what its cache holds is most likely like the others.
        let told = loads().all(Load::tells_kv_cache_per_token);
        let per_token = if told { 0.0 } else { mean(loads().filter_map(Load::kv_cache_per_token)) };
        let mut said = (0.0, 0.0);
        for (load, score) in loads().zip(&mut *scores) {
            let usage = load.kv_cache_usage(per_token);
            said = usage.map_or(said, |usage| (said.0 + usage, said.1 + 1.0));
            *score = 1.0 - usage.unwrap_or(f64::NAN);
        }
        let usual = if said.1 == 0.0 { 1.0 } else { 1.0 - said.0 / said.1 };
        scores.iter_mut().filter(|score| score.is_nan()).for_each(|score| *score = usual);
    }
}

/// 0 of nothing.
fn mean(figures: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = figures.fold((0.0, 0.0), |(sum, count), figure| (sum + figure, count + 1.0));
    if count == 0.0 { 0.0 } else { sum / count }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduling::Known;
    use crate::scheduling::{Signals, Snapshot};

    /// An engine that said so much, of a cache of so many tokens, when so many of ours were in flight.
    fn load(usage: f64, capacity: Option<u32>, then: u32, now: u32) -> Load {
        let signals = Signals { kv_cache_usage: Some(usage), kv_cache_tokens: capacity, ..Signals::default() };
        Load { signals: Some(signals), then: Snapshot { in_flight: 0, tokens: then }, tokens: now, ..Load::default() }
    }

    fn scores(loads: &[Load]) -> Vec<f64> {
        let candidates: Vec<_> = loads.iter().map(|load| Candidate::new(load, Known::default())).collect();
        let mut scores = vec![0.0; loads.len()];
        GpuUsage.score(&Request::default(), &candidates, &mut || 0, &mut scores);
        scores
    }

    #[test]
    fn the_emptier_cache_is_better() {
        assert_eq!(scores(&[load(0.25, None, 0, 0), load(1.0, None, 0, 0)]), [0.75, 0.0]);
    }

    #[test]
    fn who_does_not_say_is_as_the_others_are_on_average() {
        assert_eq!(scores(&[load(0.5, None, 0, 0), Load::default(), load(1.0, None, 0, 0)]), [0.5, 0.25, 0.0]);
        assert_eq!(scores(&[Load::default(); 2]), [1.0, 1.0]);
    }

    #[test]
    fn what_came_and_went_since_the_engine_said_it_counts() {
        assert_eq!(scores(&[load(0.25, Some(1000), 100, 600), load(0.5, Some(1000), 300, 50)]), [0.25, 0.75]);
        assert_eq!(scores(&[load(0.25, Some(1000), 0, 5000), load(0.5, Some(10), 300, 0)]), [0.0, 1.0]);
    }

    #[test]
    fn a_capacity_that_is_not_said_is_estimated_where_it_can_be() {
        assert_eq!(scores(&[load(0.25, None, 100, 200), load(0.5, Some(0), 100, 0)]), [0.5, 1.0]);
        assert_eq!(scores(&[load(0.5, None, 100, 100), load(0.0, None, 0, 50)]), [0.5, 0.75], "as the others");
        assert_eq!(scores(&[load(0.25, None, 0, 200), load(0.0, None, 100, 200)]), [0.75, 1.0], "nothing to go by");
    }
}
