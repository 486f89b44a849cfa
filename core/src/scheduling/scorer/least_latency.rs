//! `least-latency`

use super::Scorer;
use crate::scheduling::tuning::{NOISE, TWICE};
use crate::scheduling::{Candidate, Load, Random, Request};

/// The sooner the first token and the next ones are expected, the better.
///
/// Each of the two is expected to take c = x (1 + n / 4) at an endpoint that takes x and has work of n ([`Load::work`]), and scores
/// min(1, 1.1 min(c) / c); the score is alpha of that for TTFT and 1 - alpha for TPOT. A candidate that nobody measured counts as the
/// fastest: it must be tried to be known.
///
/// Upstream stretches what is measured over the whole range: of two endpoints 1 % apart one scores 100 and one 0, and
/// all requests go to the one that was a little faster a second ago. And what nobody measured scores 50, which is
/// never the best: nobody ever measures it.
#[derive(Debug, Clone, Copy)]
pub struct LeastLatency {
    /// What TTFT counts for, in [0, 1].
    pub alpha: f64,
}

// === impl LeastLatency ===

impl Scorer for LeastLatency {
    fn name(&self) -> &'static str {
        "least-latency"
    }

    fn score(&self, _: &Request<'_>, candidates: &[Candidate<'_>], _: &mut Random<'_>, scores: &mut [f64]) {
        add(candidates, Load::ttft, self.alpha, scores);
        add(candidates, Load::tpot, 1.0 - self.alpha, scores);
    }
}

fn add(candidates: &[Candidate<'_>], measured: impl Fn(&Load) -> Option<f64>, weight: f64, scores: &mut [f64]) {
    // Less than a microsecond is no measurement, and zero would make everybody else's score zero.
    let measured = |load: &Load| measured(load).map_or(f64::NAN, |seconds| seconds.max(1e-6));
    let mut costs: Vec<f64> = Vec::with_capacity(candidates.len());
    costs.extend(candidates.iter().map(|candidate| measured(candidate.load)));
    let fastest = least(&costs);
    let fastest = if fastest.is_finite() { fastest } else { 1.0 };
    for (cost, candidate) in costs.iter_mut().zip(candidates) {
        let seconds = if cost.is_nan() { fastest } else { *cost };
        *cost = seconds * (1.0 + candidate.work * (1.0 / TWICE));
    }
    let least = least(&costs) * NOISE;
    for (cost, score) in costs.iter().zip(scores) {
        let times = least / cost;
        *score += weight * if times < 1.0 { times } else { 1.0 };
    }
}

/// The least of the figures that are numbers; infinite where there are none.
///
/// A step waits for the one before, and there are a thousand: so there are eight ways. And a comparison in place of
/// `f64::min`, which asks of both sides whether they are numbers.
fn least(figures: &[f64]) -> f64 {
    let lesser = |least: f64, figure: f64| if figure < least { figure } else { least };
    let (eights, rest) = figures.as_chunks::<8>();
    let mut ways = [f64::INFINITY; 8];
    for eight in eights {
        for (way, figure) in ways.iter_mut().zip(eight) {
            *way = lesser(*way, *figure);
        }
    }
    ways.iter().chain(rest).copied().fold(f64::INFINITY, lesser)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduling::Known;
    use crate::scheduling::Signals;
    use proptest::prelude::*;

    /// To six digits, of seven that measurements have.
    fn scores(alpha: f64, loads: &[Load]) -> Vec<f64> {
        let candidates: Vec<_> = loads.iter().map(|load| Candidate::new(load, Known::default())).collect();
        let mut scores = vec![0.0; loads.len()];
        LeastLatency { alpha }.score(&Request::default(), &candidates, &mut || 0, &mut scores);
        scores.into_iter().map(|score| (score * 1e6).round() / 1e6).collect()
    }

    fn takes(ttft: f64, tpot: f64) -> Load {
        Load { ttft: Some(ttft as f32), tpot: Some(tpot as f32), ..Load::default() }
    }

    #[test]
    fn the_faster_is_better_by_as_much_as_it_is_faster() {
        let loads = [takes(0.1, 0.01), takes(0.22, 0.044)];
        assert_eq!(scores(0.5, &loads), [1.0, 0.375]);
        assert_eq!(scores(1.0, &loads), [1.0, 0.5]);
        assert_eq!(scores(0.0, &loads), [1.0, 0.25]);
        assert_eq!(scores(0.5, &[takes(0.1, 0.01), takes(0.109, 0.0109)]), [1.0, 1.0], "that is noise");
    }

    #[test]
    fn our_own_measurement_counts_before_the_engines_and_that_before_none() {
        let signals = Signals { ttft: Some(0.44), tpot: Some(0.044), ..Signals::default() };
        let told = Load { signals: Some(signals), ..Load::default() };
        assert_eq!(scores(0.5, &[takes(0.1, 0.01), told]), [1.0, 0.25]);
        assert_eq!(scores(0.5, &[Load { signals: Some(signals), ..takes(0.1, 0.01) }, takes(0.1, 0.01)]), [1.0, 1.0]);
    }

    #[test]
    fn who_was_never_measured_is_tried() {
        assert_eq!(scores(0.5, &[takes(0.1, 0.01), Load::default(), takes(0.22, 0.022)]), [1.0, 1.0, 0.5]);
        assert_eq!(scores(0.5, &[Load::default(); 2]), [1.0, 1.0]);
    }

    #[test]
    fn requests_in_flight_count_with_and_without_measurements() {
        let busy = |load| Load { in_flight: 7, ..load };
        assert_eq!(scores(0.5, &[Load::default(), busy(Load::default())]), [1.0, 0.4]);
        assert_eq!(scores(0.5, &[takes(0.1, 0.1), busy(takes(0.1, 0.1))]), [1.0, 0.4]);
    }

    #[test]
    fn a_measurement_of_nothing_leaves_the_others_a_score() {
        assert!(scores(0.5, &[takes(0.0, 0.0), takes(1e-6, 1e-6)]).iter().all(|score| *score > 0.9));
    }

    /// How many of so many requests at once each endpoint gets.
    fn at_once(requests: u32, mut loads: Vec<Load>) -> Vec<u32> {
        for _ in 0..requests {
            let scores = scores(0.5, &loads);
            let best = (0..loads.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap();
            loads[best].in_flight += 1;
        }
        loads.iter().map(|load| load.in_flight).collect()
    }

    #[test]
    fn a_slow_endpoint_gets_less_than_a_tenth_alone_and_of_fifty_at_once() {
        for fast in 1..5 {
            let mut loads = vec![takes(0.5, 0.02)];
            loads.extend(vec![takes(0.02, 0.005); fast]);
            assert_eq!(at_once(1, loads.clone())[0], 0);
            let shares = at_once(50, loads);
            assert!(shares[0] < 5, "{shares:?}");
        }
    }

    proptest! {
        #[test]
        fn equal_endpoints_share_alike_whatever_the_noise(
            noise in proptest::collection::vec((0.9f64..1.1, 0.9f64..1.1), 2..9), each in 5u32..40,
        ) {
            let loads: Vec<_> = noise.iter().map(|(ttft, tpot)| takes(0.2 * ttft, 0.02 * tpot)).collect();
            let count = loads.len() as u32;
            let shares = at_once(each * count, loads);
            prop_assert!(shares.iter().all(|share| *share <= each * 3 / 2 + 1), "{:?}", shares);
        }
    }
}
