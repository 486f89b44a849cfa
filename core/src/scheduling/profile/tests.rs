use super::super::*;
use super::*;
use crate::engine::Model;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

const REQUEST: Request<'static> = Request { target: "default/small", model: "m", tokens: 0, prefix: &[] };

fn endpoints(count: usize) -> Arc<[Endpoint]> {
    let endpoint = |i| Endpoint { address: format!("10.0.0.{i}:8000").into(), pod: format!("default/pod-{i}").into() };
    (0..count).map(endpoint).collect()
}

fn decide(profile: &Profile, loads: &[Load], random: &mut Random<'_>) -> Decision {
    profile.decide(&REQUEST, &endpoints(loads.len()), loads.to_vec(), [], random)
}

fn scores(decision: &Decision, endpoint: usize) -> Vec<f64> {
    decision.scores(endpoint).collect()
}

/// Endpoints with so many requests in flight.
fn busy(in_flight: &[u32]) -> Vec<Load> {
    in_flight.iter().map(|&in_flight| Load { in_flight, ..Load::default() }).collect()
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

struct Never(usize);

impl Filter for Never {
    fn name(&self) -> &'static str {
        "never"
    }

    fn filter(&self, _: &Request<'_>, _: &[Candidate<'_>], keep: &mut [bool]) {
        if let Some(keep) = keep.get_mut(self.0) {
            *keep = false;
        }
    }

    fn reason(&self) -> String {
        format!("it is number {}", self.0)
    }
}

#[test]
fn the_fewest_in_flight_come_first() {
    let profile = Profile::new(vec![], vec![(Box::new(LeastRequest), 1.0)]);
    let decision = decide(&profile, &busy(&[40, 0, 20, 10]), &mut random(1));
    assert_eq!(decision.destination(), "10.0.0.1:8000,10.0.0.3:8000,10.0.0.2:8000,10.0.0.0:8000");
    let all: Vec<_> = (0..4).flat_map(|endpoint| decision.scores(endpoint)).collect();
    assert_eq!(all, [0.0, 1.0, 0.5, 0.75]);
    assert_eq!(*decision.scorers, [("least-request", 1.0)]);
    let decision = decide(&profile, &busy(&[4, 0]), &mut random(1));
    assert_eq!((scores(&decision, 0), scores(&decision, 1)), (vec![0.75], vec![1.0]), "four are few");
}

#[test]
fn at_most_five_are_listed_each_once() {
    let decision = decide(&Profile::default(), &busy(&[9, 8, 7, 6, 5, 4, 3, 2]), &mut random(1));
    assert_eq!(decision.picks, [7, 6, 5, 4, 3]);
}

#[test]
fn ties_spread() {
    let mut random = random(7);
    let mut first = BTreeMap::new();
    for _ in 0..3000 {
        let decision = decide(&Profile::default(), &busy(&[0, 0, 0, 5]), &mut random);
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
        first[decide(&profile, &busy(&[0, 50, 100]), &mut random).picks[0]] += 1;
    }
    assert!(first.iter().all(|count| (850..1150).contains(count)), "{first:?}");
}

#[test]
fn a_dropped_endpoint_is_named_with_its_filter_and_never_picked() {
    let profile = Profile::new(vec![Box::new(Never(1))], vec![(Box::new(LeastRequest), 1.0)]);
    let decision = decide(&profile, &busy(&[3, 0]), &mut random(1));
    assert_eq!(decision.picks, [0]);
    assert_eq!(decision.verdict(1).unwrap().dropped_by, Some("never"));
    assert!(scores(&decision, 1).is_empty() && scores(&decision, 0).len() == 1);
}

#[test]
fn every_plugin_is_heard_of_once_whatever_it_was_given() {
    let profile =
        Profile::new(vec![Box::new(Never(0))], vec![(Box::new(RandomScore), 1.0), (Box::new(LeastRequest), 1.0)]);
    for count in [0, 1, 3] {
        let mut laps = Vec::new();
        let lap = &mut |lap| laps.push(lap);
        profile.decide_by_laps(&REQUEST, &endpoints(count), busy(&vec![0; count]), [], &mut random(1), lap);
        laps.retain(|lap| *lap != Lap::Start);
        assert_eq!(laps, [Lap::Filter("never"), Lap::Scorer("random"), Lap::Scorer("least-request")], "{count}");
    }
}

#[test]
fn a_profile_without_scorers_still_serves() {
    let decision = decide(&Profile::new(vec![], vec![]), &busy(&[1, 2]), &mut random(1));
    assert_eq!(decision.picks.len(), 2);
}

#[test]
fn a_prompt_that_nobody_has_still_serves_where_nothing_but_prefixes_count() {
    let profile = Profile::new(vec![], vec![(Box::new(PrefixCache::default()), 1.0)]);
    let decision = decide(&profile, &busy(&[1, 2]), &mut random(1));
    assert_eq!((decision.picks.len(), scores(&decision, 0)), (2, vec![0.0]));
}

#[test]
fn without_a_configuration_an_endpoint_lacking_the_adapter_is_not_picked() {
    let model = |id: &str| vec![Model { id: id.to_owned(), parent: Some("base".to_owned()) }];
    let models = [model("other"), model("m")];
    let known = models.each_ref().map(|models| Known { models: Some(models), ..Known::default() });
    let decision = Profile::default().decide(&REQUEST, &endpoints(2), busy(&[0, 0]), known, &mut random(1));
    assert_eq!((&decision.picks[..], decision.verdict(0).unwrap().dropped_by), (&[1][..], Some("lora-affinity")));
}

#[test]
fn no_endpoints_no_picks() {
    assert_eq!(decide(&Profile::default(), &[], &mut random(1)).destination(), "");
}

/// Endpoints with these signals and nothing in flight.
fn scraped(signals: &[Signals]) -> Vec<Load> {
    signals.iter().map(|signals| Load { signals: Some(*signals), ..Load::default() }).collect()
}

fn says(running: u32, waiting: u32) -> Signals {
    Signals { running: Some(running), waiting: Some(waiting), ..Signals::default() }
}

fn asleep() -> Signals {
    Signals { asleep: true, ..Signals::default() }
}

#[test]
fn requests_that_others_sent_count_and_those_that_both_see_count_once() {
    let mut loads = scraped(&[says(3, 1), says(0, 2), says(5, 0), Signals::default()]);
    for (load, in_flight) in loads.iter_mut().zip([4, 3, 1, 1]) {
        load.in_flight = in_flight;
        load.then.in_flight = in_flight;
    }
    let requests: Vec<_> = loads.iter().map(Load::requests).collect();
    assert_eq!(requests, [4, 3, 5, 1]);
    assert_eq!(decide(&Profile::default(), &loads, &mut random(1)).picks, [3, 1, 0, 2]);
}

#[test]
fn what_an_engine_said_is_brought_up_to_now() {
    let load = |signals, then, now| Load {
        signals: Some(signals),
        then: Snapshot { in_flight: then, tokens: 0 },
        in_flight: now,
        ..Load::default()
    };
    assert_eq!(load(says(1, 0), 1, 0).requests(), 0, "the one that it was caught with has ended");
    assert_eq!(load(says(6, 0), 2, 5).requests(), 9, "of six two were ours, and three came since");
    assert_eq!(load(says(0, 0), 3, 3).requests(), 3, "it had not heard of them yet");
    assert_eq!(load(says(8, 4), 12, 2).waiting(), Some(0), "its queue has moved up");
    assert_eq!(load(says(8, 4), 12, 20).waiting(), Some(12));
    assert_eq!(load(says(8, 0), 8, 20).waiting(), Some(0), "nobody knows how much more it takes at once");
    assert_eq!(Load::default().waiting(), None);
}

#[test]
fn an_engine_asleep_is_passed_over_while_one_is_awake() {
    let profile = Profile::default();
    let decision = decide(&profile, &scraped(&[asleep(), says(9, 9)]), &mut random(1));
    assert_eq!((&decision.picks[..], decision.verdict(0).unwrap().dropped_by), (&[1][..], Some("asleep")));
    let decision = decide(&profile, &scraped(&[asleep(), asleep()]), &mut random(1));
    assert_eq!(decision.picks.len(), 2, "with all asleep one must be tried");
}

fn saturated(seconds: u64) -> Option<Saturated> {
    Some(Saturated { by: "least-request", retry_after: Duration::from_secs(seconds) })
}

#[test]
fn when_filters_drop_every_engine_nobody_is_picked_and_it_says_when_to_ask_again() {
    let profile = Profile::new(vec![Box::new(MaxWaiting(10))], vec![(Box::new(LeastRequest), 1.0)]);
    let decision = decide(&profile, &scraped(&[says(4, 12), asleep(), says(4, 10)]), &mut random(1));
    let dropped: Vec<_> = decision.verdicts().map(|verdict| verdict.dropped_by).collect();
    assert_eq!(dropped, [Some("least-request"), Some("asleep"), Some("least-request")]);
    assert_eq!((decision.picks.len(), decision.saturated), (0, saturated(1)));
    let mut loads = scraped(&[says(4, 12), says(5, 10), says(1, 400)]);
    loads.iter_mut().for_each(|load| load.duration = Some(6.5));
    let decision = decide(&profile, &loads, &mut random(1));
    assert_eq!(decision.saturated, saturated(13), "ten wait behind five that take 6.5 s each");
    assert_eq!(decide(&profile, &loads[2..], &mut random(1)).saturated, saturated(60), "at the most");
    assert_eq!(decide(&profile, &[], &mut random(1)).saturated, None, "there is nobody");
    assert_eq!(decide(&profile, &scraped(&[says(0, 0)]), &mut random(1)).saturated, None);
}

#[test]
fn an_engine_that_does_not_say_how_many_wait_is_kept() {
    let profile = Profile::new(vec![Box::new(MaxWaiting(1))], vec![]);
    let mut loads = scraped(&[says(0, 1), Signals::default(), says(7, 0)]);
    loads[2].in_flight = 50;
    let mut picks = decide(&profile, &loads, &mut random(1)).picks;
    picks.sort_unstable();
    assert_eq!(picks, [1, 2]);
}

fn any_load() -> impl Strategy<Value = Load> {
    let count = || proptest::option::of(prop_oneof![0u32..30, Just(u32::MAX)]);
    let signals = (count(), count(), any::<bool>()).prop_map(|(running, waiting, asleep)| Signals {
        running,
        waiting,
        asleep,
        ..Signals::default()
    });
    (0u32..30, 0u32..30, proptest::option::of(signals)).prop_map(|(in_flight, then, signals)| Load {
        in_flight,
        then: Snapshot { in_flight: then, tokens: 0 },
        signals,
        ..Load::default()
    })
}

proptest! {
    #[test]
    fn whatever_engines_say_the_first_pick_is_the_least_loaded_that_no_rule_drops(
        loads in proptest::collection::vec(any_load(), 1..12), seed in any::<u64>(),
    ) {
        let profile = Profile::new(vec![Box::new(MaxWaiting(10))], vec![(Box::new(LeastRequest), 1.0)]);
        let decision = decide(&profile, &loads, &mut random(seed));
        let any_awake = loads.iter().any(|load| !load.asleep());
        let may = |load: &&Load| load.waiting().unwrap_or(0) < 10 && !(any_awake && load.asleep());
        let least = loads.iter().filter(may).map(Load::requests).min();
        prop_assert_eq!(decision.picks.first().map(|pick| loads[*pick].requests()), least);
        prop_assert_eq!(decision.picks.is_empty(), decision.saturated.is_some());
        prop_assert!(!any_awake || decision.picks.iter().all(|pick| !loads[*pick].asleep()));
        let dropped = decision.verdicts().filter(|verdict| verdict.dropped_by.is_some()).count();
        prop_assert_eq!(dropped, loads.len() - loads.iter().filter(may).count());
        prop_assert!((0..loads.len()).flat_map(|i| decision.scores(i)).all(|score| (0.0..=1.0).contains(&score)));
    }
}

#[test]
fn a_verdict_carries_the_load_it_was_judged_by_and_a_drop_has_a_reason() {
    let profile = Profile::new(vec![Box::new(Never(1))], vec![]);
    let decision = decide(&profile, &busy(&[4, 2]), &mut random(1));
    assert_eq!(decision.loads.iter().map(|load| load.in_flight).collect::<Vec<_>>(), [4, 2]);
    let reason = profile.reason(decision.verdict(1).unwrap().dropped_by.unwrap());
    assert_eq!(reason.as_deref(), Some("it is number 1"));
    assert_eq!(Profile::new(vec![Box::new(MaxWaiting(3))], vec![]).reason("least-request").unwrap()[..9], *"3 or more");
    assert!(profile.reason(ASLEEP).is_some() && profile.reason("no such filter").is_none());
}

/// What is known of an endpoint that lists these, which was ejected or was not.
fn ejected(ejected: bool, models: &[Model]) -> Known<'_> {
    Known { ejected, models: Some(models), ..Known::default() }
}

#[test]
fn the_one_holder_of_an_adapter_serves_though_it_was_ejected() {
    let model = |id: &str| vec![Model { id: id.to_owned(), parent: Some("base".to_owned()) }];
    let (holder, other) = (model("m"), model("other"));
    let known = [ejected(true, &holder), ejected(false, &other), ejected(true, &other)];
    let mut laps = Vec::new();
    let decision =
        Profile::default()
            .decide_by_laps(&REQUEST, &endpoints(3), busy(&[0; 3]), known, &mut random(1), &mut |lap| laps.push(lap));
    assert_eq!((&decision.picks[..], decision.saturated), (&[0][..], None));
    assert_eq!(decision.verdict(1).unwrap().dropped_by, Some("lora-affinity"));
    let filters = laps.iter().filter(|lap| matches!(lap, Lap::Filter(_))).count();
    assert_eq!(
        filters,
        Plugin::FILTERS.into_iter().filter(|plugin| plugin.filter(&Arguments::default()).is_some()).count()
    );
}

#[test]
fn an_ejected_endpoint_serves_while_the_queues_of_all_others_are_full() {
    let profile = Profile::new(vec![Box::new(MaxWaiting(10))], vec![(Box::new(LeastRequest), 1.0)]);
    let known = || [ejected(true, &[]), ejected(false, &[])];
    let decide =
        |signals: [Signals; 2]| profile.decide(&REQUEST, &endpoints(2), scraped(&signals), known(), &mut random(1));
    let decision = decide([says(1, 0), says(9, 12)]);
    assert_eq!((decision.picks, decision.saturated), (vec![0], None));
    let decision = decide([says(1, 0), says(9, 9)]);
    assert_eq!((&decision.picks[..], decision.verdict(0).unwrap().dropped_by), (&[1][..], Some(EJECTED)));
    let decision = decide([says(9, 12), says(9, 12)]);
    assert!(decision.picks.is_empty() && decision.saturated.is_some());
}
