use super::super::*;
use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const REQUEST: Request<'static> = Request { target: "default/small", model: "m" };

fn endpoints(in_flight: &[u32]) -> Vec<Endpoint> {
    (0..)
        .zip(in_flight)
        .map(|(i, &in_flight)| Endpoint {
            address: format!("10.0.0.{i}:8000").into(),
            pod: format!("default/pod-{i}").into(),
            load: Load { in_flight, signals: None },
            models: None,
        })
        .collect()
}

/// SplitMix64 (Steele, Lea, Flood 2014).
fn random(mut seed: u64) -> impl FnMut() -> u64 {
    move || {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

struct Never(&'static str);

impl Filter for Never {
    fn name(&self) -> &'static str {
        "never"
    }

    fn keep(&self, _: &Request<'_>, endpoint: &Endpoint) -> bool {
        &*endpoint.pod != self.0
    }

    fn reason(&self) -> String {
        format!("it is {}", self.0)
    }
}

#[test]
fn the_fewest_in_flight_come_first() {
    let decision = Profile::default().decide(&REQUEST, &endpoints(&[4, 0, 2, 1]), &mut random(1));
    assert_eq!(decision.destination(), "10.0.0.1:8000,10.0.0.3:8000,10.0.0.2:8000,10.0.0.0:8000");
    let scores: Vec<_> = decision.verdicts.iter().map(|verdict| verdict.scores[0]).collect();
    assert_eq!(scores, [0.0, 1.0, 0.5, 0.75]);
    assert_eq!(decision.scorers, [("least-request", 1.0)]);
}

#[test]
fn at_most_five_are_listed_each_once() {
    let decision = Profile::default().decide(&REQUEST, &endpoints(&[9, 8, 7, 6, 5, 4, 3, 2]), &mut random(1));
    assert_eq!(decision.picks, [7, 6, 5, 4, 3]);
}

#[test]
fn ties_spread() {
    let mut random = random(7);
    let mut first = BTreeMap::new();
    for _ in 0..3000 {
        let decision = Profile::default().decide(&REQUEST, &endpoints(&[0, 0, 0, 5]), &mut random);
        *first.entry(decision.picks[0]).or_insert(0) += 1;
    }
    assert_eq!(first.len(), 3, "the busy one is never first: {first:?}");
    assert!(first.values().all(|count| (850..1150).contains(count)), "{first:?}");
}

#[test]
fn random_reaches_everyone_alike() {
    let profile = Profile::new(vec![], vec![(Box::new(RandomScore), 1.0)]);
    let (mut random, mut first) = (random(3), [0; 3]);
    for _ in 0..3000 {
        first[profile.decide(&REQUEST, &endpoints(&[0, 50, 100]), &mut random).picks[0]] += 1;
    }
    assert!(first.iter().all(|count| (850..1150).contains(count)), "{first:?}");
}

#[test]
fn a_dropped_endpoint_is_named_with_its_filter_and_never_picked() {
    let profile = Profile::new(vec![Box::new(Never("default/pod-1"))], vec![(Box::new(LeastRequest), 1.0)]);
    let decision = profile.decide(&REQUEST, &endpoints(&[3, 0]), &mut random(1));
    assert_eq!(decision.picks, [0]);
    assert_eq!(decision.verdicts[1].dropped_by, Some("never"));
    assert!(decision.verdicts[1].scores.is_empty());
}

#[test]
fn every_plugin_is_heard_of_once_whatever_it_was_given() {
    let profile = Profile::new(
        vec![Box::new(Never("default/pod-0"))],
        vec![(Box::new(RandomScore), 1.0), (Box::new(LeastRequest), 1.0)],
    );
    for count in [0, 1, 3] {
        let mut laps = Vec::new();
        profile.decide_by_laps(&REQUEST, &endpoints(&vec![0; count]), &mut random(1), &mut |lap| laps.push(lap));
        laps.retain(|lap| *lap != Lap::Start);
        assert_eq!(laps, [Lap::Filter("never"), Lap::Scorer("random"), Lap::Scorer("least-request")], "{count}");
    }
}

#[test]
fn a_profile_without_scorers_still_serves() {
    let decision = Profile::new(vec![], vec![]).decide(&REQUEST, &endpoints(&[1, 2]), &mut random(1));
    assert_eq!(decision.picks.len(), 2);
}

#[test]
fn no_endpoints_no_picks() {
    assert_eq!(Profile::default().decide(&REQUEST, &[], &mut random(1)).destination(), "");
}

/// Endpoints with these signals and nothing in flight.
fn scraped(signals: &[Signals]) -> Vec<Endpoint> {
    let mut endpoints = endpoints(&vec![0; signals.len()]);
    for (endpoint, signals) in endpoints.iter_mut().zip(signals) {
        endpoint.load.signals = Some(*signals);
    }
    endpoints
}

fn busy(running: u32, waiting: u32) -> Signals {
    Signals { running: Some(running), waiting: Some(waiting), ..Signals::default() }
}

const ASLEEP_NOW: Signals =
    Signals { running: None, waiting: None, kv_cache_usage: None, ttft: None, tpot: None, asleep: true };

#[test]
fn requests_that_others_sent_count_and_those_that_both_see_count_once() {
    let mut endpoints = scraped(&[busy(3, 1), busy(0, 2), busy(5, 0), Signals::default()]);
    for (endpoint, in_flight) in endpoints.iter_mut().zip([4, 3, 1, 1]) {
        endpoint.load.in_flight = in_flight;
    }
    let requests: Vec<_> = endpoints.iter().map(|endpoint| endpoint.load.requests()).collect();
    assert_eq!(requests, [4, 3, 5, 1]);
    assert_eq!(Profile::default().decide(&REQUEST, &endpoints, &mut random(1)).picks, [3, 1, 0, 2]);
}

#[test]
fn an_engine_asleep_is_passed_over_while_one_is_awake() {
    let profile = Profile::default();
    let decision = profile.decide(&REQUEST, &scraped(&[ASLEEP_NOW, busy(9, 9)]), &mut random(1));
    assert_eq!((decision.picks, decision.verdicts[0].dropped_by), (vec![1], Some("asleep")));
    let decision = profile.decide(&REQUEST, &scraped(&[ASLEEP_NOW, ASLEEP_NOW]), &mut random(1));
    assert_eq!(decision.picks.len(), 2, "with all asleep one must be tried");
}

#[test]
fn when_filters_drop_every_engine_awake_those_serve_before_one_asleep_does() {
    let profile = Profile::new(vec![Box::new(MaxWaiting(10))], vec![(Box::new(LeastRequest), 1.0)]);
    let decision = profile.decide(&REQUEST, &scraped(&[busy(4, 12), ASLEEP_NOW, busy(4, 10)]), &mut random(1));
    assert_eq!(decision.picks, [2, 0]);
    let dropped: Vec<_> = decision.verdicts.iter().map(|verdict| verdict.dropped_by).collect();
    assert_eq!(dropped, [Some("least-request"), Some("asleep"), Some("least-request")]);
    assert_eq!(decision.verdicts.iter().map(|verdict| verdict.scores.len()).collect::<Vec<_>>(), [1, 0, 1]);
    let decision = profile.decide(&REQUEST, &scraped(&[busy(4, 12), busy(4, 10)]), &mut random(1));
    assert!(decision.picks.is_empty(), "without one asleep whoever balances instead may take any");
}

#[test]
fn an_engine_that_does_not_say_how_many_wait_is_kept() {
    let profile = Profile::new(vec![Box::new(MaxWaiting(1))], vec![]);
    let mut endpoints = scraped(&[busy(0, 1), Signals::default(), busy(7, 0)]);
    endpoints[2].load.in_flight = 50;
    let mut picks = profile.decide(&REQUEST, &endpoints, &mut random(1)).picks;
    picks.sort_unstable();
    assert_eq!(picks, [1, 2]);
}

fn any_signals() -> impl Strategy<Value = Option<Signals>> {
    let count = || proptest::option::of(prop_oneof![0u32..30, Just(u32::MAX)]);
    let signals = (count(), count(), any::<bool>()).prop_map(|(running, waiting, asleep)| Signals {
        running,
        waiting,
        asleep,
        ..Signals::default()
    });
    proptest::option::of(signals)
}

proptest! {
    #[test]
    fn whatever_engines_say_the_first_pick_is_the_least_loaded_that_no_rule_drops(
        loads in proptest::collection::vec((0u32..30, any_signals()), 1..12),
        seed in any::<u64>(),
    ) {
        let profile = Profile::new(vec![Box::new(MaxWaiting(10))], vec![(Box::new(LeastRequest), 1.0)]);
        let mut endpoints = endpoints(&loads.iter().map(|(in_flight, _)| *in_flight).collect::<Vec<_>>());
        for (endpoint, (_, signals)) in endpoints.iter_mut().zip(&loads) {
            endpoint.load.signals = *signals;
        }
        let decision = profile.decide(&REQUEST, &endpoints, &mut random(seed));
        let any_awake = endpoints.iter().any(|endpoint| !endpoint.load.asleep());
        let may = |endpoint: &&Endpoint| {
            let waiting = endpoint.load.signals.and_then(|signals| signals.waiting).unwrap_or(0);
            waiting < 10 && !(any_awake && endpoint.load.asleep())
        };
        let (none_left, any_asleep) = (!endpoints.iter().any(|e| may(&e)), endpoints.iter().any(|e| e.load.asleep()));
        let ranked = |endpoint: &&Endpoint| {
            may(endpoint) || (none_left && any_asleep && any_awake && !endpoint.load.asleep())
        };
        let least = endpoints.iter().filter(ranked).map(|endpoint| endpoint.load.requests()).min();
        let first = decision.picks.first().map(|pick| endpoints[*pick].load.requests());
        prop_assert_eq!(first, least);
        prop_assert!(!any_awake || decision.picks.iter().all(|pick| !endpoints[*pick].load.asleep()));
        prop_assert!(!(any_asleep && any_awake && decision.picks.is_empty()), "left to whoever knows of no sleep");
        let dropped = decision.verdicts.iter().filter(|verdict| verdict.dropped_by.is_some()).count();
        prop_assert_eq!(dropped, endpoints.len() - endpoints.iter().filter(may).count());
        prop_assert!(decision.verdicts.iter().flat_map(|v| &v.scores).all(|score| (0.0..=1.0).contains(score)));
    }
}

#[test]
fn a_verdict_carries_the_load_it_was_judged_by_and_a_drop_has_a_reason() {
    let profile = Profile::new(vec![Box::new(Never("default/pod-1"))], vec![]);
    let decision = profile.decide(&REQUEST, &endpoints(&[4, 2]), &mut random(1));
    assert_eq!(decision.verdicts.iter().map(|verdict| verdict.load.in_flight).collect::<Vec<_>>(), [4, 2]);
    let reason = profile.reason(decision.verdicts[1].dropped_by.unwrap());
    assert_eq!(reason.as_deref(), Some("it is default/pod-1"));
    assert_eq!(Profile::new(vec![Box::new(MaxWaiting(3))], vec![]).reason("least-request").unwrap()[..9], *"3 or more");
    assert!(profile.reason(ASLEEP).is_some() && profile.reason("no such filter").is_none());
}
