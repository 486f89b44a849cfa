//! `prefix-cache`

use super::Scorer;
use crate::scheduling::headroom::Headroom;
use crate::scheduling::tuning::SAVED;
use crate::scheduling::{Candidate, PrefixArguments, Random, Request};

/// The more of the prompt an endpoint has ([`Known::matched`]), the better, as far as that saves anything and the
/// endpoint has room ([`Headroom`]): matched * t / (t + 128) * headroom, for t tokens that are matched. All score 0
/// where nobody has any of it.
///
/// Where nobody said how many tokens the prompt has, the second factor is 1.
#[derive(Debug, Clone, Copy, Default)]
pub struct PrefixCache(pub PrefixArguments);

// === impl PrefixCache ===

impl Scorer for PrefixCache {
    fn name(&self) -> &'static str {
        "prefix-cache"
    }

    fn score(&self, request: &Request<'_>, candidates: &[Candidate<'_>], _: &mut Random<'_>, scores: &mut [f64]) {
        let tokens = f64::from(request.tokens);
        let worth = |matched: f64| match tokens * matched {
            saved if tokens > 0.0 => matched * saved / (saved + SAVED),
            _ => matched,
        };
        if candidates.iter().all(|candidate| candidate.known.matched == 0.0) {
            return scores.fill(0.0);
        }
        let headroom = Headroom::among(candidates);
        for (candidate, score) in candidates.iter().zip(scores) {
            let matched = candidate.known.matched;
            *score = if matched == 0.0 { 0.0 } else { worth(matched) * headroom.of(candidate) };
        }
    }

    fn prefix(&self) -> Option<PrefixArguments> {
        Some(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduling::{Decision, Endpoint, Known, LeastRequest, Load, Profile, Signals, Snapshot};
    use proptest::prelude::*;
    use std::sync::Arc;

    /// An endpoint's load, and its share of the prompt.
    type Given = (Load, f64);

    fn given(matched: f64, requests: u32, waiting: u32) -> Given {
        let signals =
            Signals { running: Some(requests.saturating_sub(waiting)), waiting: Some(waiting), ..Signals::default() };
        let then = Snapshot { in_flight: requests, tokens: 0 };
        (Load { in_flight: requests, then, signals: Some(signals), ..Load::default() }, matched)
    }

    fn decide(given: &[Given], random: &mut Random<'_>) -> Decision {
        let (loads, known) = given
            .iter()
            .map(|(load, matched)| (*load, Known { matched: *matched, ..Known::default() }))
            .unzip::<_, _, Vec<_>, Vec<_>>();
        profile().decide(&Request::default(), &endpoints(given.len()), loads, known, random)
    }

    fn profile() -> Profile {
        Profile::new(vec![], vec![(Box::new(LeastRequest), 1.0), (Box::new(PrefixCache::default()), 1.0)])
    }

    fn endpoints(count: usize) -> Arc<[Endpoint]> {
        (0..count)
            .map(|i| Endpoint { address: format!("10.0.0.{i}:8000").into(), pod: format!("ns/{i}").into() })
            .collect()
    }

    /// How many of so many requests in a row each gets, none of which ends; each learns the prompt that it got.
    fn spread(count: u32, mut given: Vec<Given>, share: f64) -> Vec<u32> {
        let mut tie = 0;
        for _ in 0..count {
            let random = &mut || {
                tie += 1;
                tie
            };
            let best = decide(&given, random).picks[0];
            let (load, matched) = &mut given[best];
            (load.in_flight, *matched) = (load.in_flight + 1, matched.max(share));
        }
        given.iter().map(|(load, _)| load.in_flight).collect()
    }

    fn idle(count: usize) -> Vec<Given> {
        vec![Given::default(); count]
    }

    #[test]
    fn equal_prompts_at_once_land_together_while_there_is_room() {
        assert_eq!(spread(16, idle(4), 1.0).iter().max(), Some(&16));
    }

    #[test]
    fn a_match_counts_by_the_tokens_that_it_saves() {
        let score = |tokens, matched| {
            let mut scores = [0.0];
            let request = Request { tokens, ..Request::default() };
            let (load, known) = (Load::default(), Known { matched, ..Known::default() });
            PrefixCache::default().score(&request, &[Candidate::new(&load, known)], &mut || 0, &mut scores);
            scores[0]
        };
        assert_eq!([score(128, 1.0), score(256, 0.5), score(384, 1.0)], [0.5, 0.25, 0.75]);
        assert!(score(4, 1.0) < 1.0 / 16.0, "less than a request in flight, and more than nothing: {}", score(4, 1.0));
        assert!(score(4, 1.0) > 0.0);
        assert_eq!([score(0, 0.5), score(4096, 0.0)], [0.5, 0.0], "nobody said");
    }

    #[test]
    fn a_hot_prefix_spreads_once_it_is_more_than_one_endpoint_has_room_for() {
        let shares = spread(400, idle(4), 1.0);
        assert!(shares.iter().all(|share| (50..=200).contains(share)), "{shares:?}");
    }

    #[test]
    fn a_hot_prefix_spreads_once_its_endpoint_queues() {
        let queueing = given(1.0, 60, 20);
        let free = given(0.0, 40, 0);
        let decision = decide(&[queueing, free], &mut || 0);
        assert_eq!(decision.picks, [1, 0]);
    }

    #[test]
    fn a_short_prefix_unbalances_by_its_share_at_the_most() {
        let shares = spread(400, idle(4), 0.1);
        assert!(shares.iter().all(|share| (90..=110).contains(share)), "{shares:?}");
    }

    proptest! {
        #[test]
        fn affinity_never_outweighs_overload(
            others in proptest::collection::vec(0u32..200, 1..8), beyond in 0u32..500,
        ) {
            let mean = f64::from(others.iter().sum::<u32>()) / others.len() as f64;
            let overloaded = (4.0 * mean + 32.0).ceil() as u32 + beyond;
            let mut candidates = vec![given(1.0, overloaded, 0)];
            candidates.extend(others.iter().map(|requests| given(0.0, *requests, 0)));
            let decision = decide(&candidates, &mut || 0);
            prop_assert_ne!(decision.picks[0], 0, "{:?} {:?}", decision.scores(0).collect::<Vec<_>>(), others);
        }

        #[test]
        fn a_share_of_the_prompt_is_worth_no_more_than_that_share_of_the_load(
            matched in 0.0f64..1.0, requests in 0u32..200, other in 0u32..200,
        ) {
            let candidates = [given(matched, requests, 0), given(0.0, other, 0)];
            let decision = decide(&candidates, &mut || 0);
            let more = f64::from(requests) - f64::from(other);
            let bound = matched * f64::from(requests.max(other).max(16));
            prop_assert!(decision.picks[0] != 0 || more <= bound + 1e-9);
        }
    }
}
