//! `gpu-usage`

use super::Scorer;
use crate::scheduling::{Candidate, Random, Request};

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
        let mut said = fill(candidates, 0.0, scores);
        if !said.per_token {
            // An idle engine that does not say what its cache holds is most likely like the others.
            let per_token = candidates.iter().filter_map(|candidate| candidate.load.kv_cache_per_token());
            said = fill(candidates, mean(per_token), scores);
        }
        let usual = if said.count == 0.0 { 1.0 } else { 1.0 - said.usage / said.count };
        scores.iter_mut().filter(|score| score.is_nan()).for_each(|score| *score = usual);
    }
}

/// What candidates said together.
struct Said {
    /// The sum of what they use, over so many of them.
    usage: f64,
    count: f64,
    /// Whether each tells what a token takes.
    per_token: bool,
}

/// Scores those that say, where a token takes so much at those that do not tell; the others' score is no number.
fn fill(candidates: &[Candidate<'_>], per_token: f64, scores: &mut [f64]) -> Said {
    let mut said = Said { usage: 0.0, count: 0.0, per_token: true };
    for (candidate, score) in candidates.iter().zip(scores) {
        said.per_token &= candidate.load.tells_kv_cache_per_token();
        *score = match candidate.load.kv_cache_usage(per_token) {
            Some(usage) => {
                (said.usage, said.count) = (said.usage + usage, said.count + 1.0);
                1.0 - usage
            }
            None => f64::NAN,
        };
    }
    said
}

/// 0 of nothing.
fn mean(figures: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = figures.fold((0.0, 0.0), |(sum, count), figure| (sum + figure, count + 1.0));
    if count == 0.0 { 0.0 } else { sum / count }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduling::{Known, Load, Signals, Snapshot};

    /// An engine that said so much, of a cache of so many tokens, when so many of ours were in flight.
    fn load(usage: f32, capacity: Option<u32>, then: u32, now: u32) -> Load {
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
