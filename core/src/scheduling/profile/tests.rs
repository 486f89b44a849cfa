use super::super::*;
use super::*;
use std::collections::BTreeMap;

const REQUEST: Request<'static> = Request { target: "default/small", model: "m" };

fn endpoints(in_flight: &[u32]) -> Vec<Endpoint> {
    (0..)
        .zip(in_flight)
        .map(|(i, &in_flight)| Endpoint {
            address: format!("10.0.0.{i}:8000").into(),
            pod: format!("default/pod-{i}").into(),
            load: Load { in_flight, signals: None },
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
