mod herding;

use super::*;
use crate::scheduling::{PrefixCache, Signals};

const REQUEST: Request<'static> = Request { target: "ns/a", model: "m", tokens: 7, prefix: &[] };
const NOW: Duration = Duration::from_secs(5);

fn endpoint(number: usize) -> Endpoint {
    Endpoint { address: format!("10.0.0.{number}:8000").into(), pod: format!("ns/p-{number}").into() }
}

/// A fleet whose target `ns/a` has so many endpoints.
fn fleet(endpoints: usize) -> Fleet {
    let mut fleet = Fleet::default();
    fleet.publish([("ns/a", (1..=endpoints).map(endpoint).collect())]);
    fleet
}

fn pick(fleet: &mut Fleet, request: &Request<'_>) -> Option<(Decision, Option<Dispatch>)> {
    let pick = fleet.pick(&Profile::default(), request, None, NOW, &mut || 0, &mut |_| ())?;
    Some((pick.decision, pick.dispatch))
}

#[test]
fn requests_at_once_go_to_different_endpoints() {
    let mut fleet = fleet(3);
    let dispatches: Vec<_> = (0..3).filter_map(|_| pick(&mut fleet, &REQUEST)?.1).collect();
    let (mut by_address, total) = fleet.in_flight();
    by_address.sort();
    assert_eq!((by_address.len(), total), (3, 3));
    assert!(by_address.iter().all(|(_, count)| *count == 1), "{by_address:?}");
    assert_eq!(fleet.in_flight_at("10.0.0.1:8000"), Snapshot { in_flight: 1, tokens: 7 });
    dispatches.into_iter().for_each(|dispatch| fleet.end(dispatch));
    assert_eq!(fleet.in_flight(), (vec![], 0));
    assert_eq!(fleet.in_flight_at("10.0.0.1:8000"), Snapshot::default());
}

#[test]
fn an_unknown_target_gets_no_pick_and_an_empty_one_dispatches_nothing() {
    let mut fleet = fleet(0);
    assert!(pick(&mut fleet, &Request { target: "ns/b", ..REQUEST }).is_none());
    let (decision, dispatch) = pick(&mut fleet, &REQUEST).unwrap();
    assert!(decision.picks.is_empty() && decision.saturated.is_none() && dispatch.is_none());
}

#[test]
fn an_endpoint_that_comes_back_is_not_thought_idle() {
    let mut fleet = fleet(1);
    let (_, dispatch) = pick(&mut fleet, &REQUEST).unwrap();
    fleet.publish([]);
    assert_eq!(fleet.in_flight().1, 1);
    fleet.publish([("ns/a", vec![endpoint(1), endpoint(2)])]);
    let (decision, other) = pick(&mut fleet, &REQUEST).unwrap();
    assert_eq!(decision.picks, [1, 0]);
    [dispatch, other].into_iter().flatten().for_each(|dispatch| fleet.end(dispatch));
    assert_eq!(fleet.in_flight(), (vec![], 0));
}

#[test]
fn a_place_is_used_again_once_nothing_is_in_flight_there() {
    let mut fleet = fleet(2);
    let (_, dispatch) = pick(&mut fleet, &REQUEST).unwrap();
    fleet.publish([("ns/a", vec![endpoint(3)])]);
    fleet.end(dispatch.unwrap());
    fleet.publish([("ns/a", vec![endpoint(3), endpoint(4), endpoint(5)])]);
    assert_eq!(fleet.engines.len(), 3);
    assert_eq!(fleet.in_flight(), (vec![], 0));
}

#[test]
fn what_an_engine_said_is_forgotten_with_its_pod_and_kept_with_it() {
    let mut fleet = fleet(1);
    let signals = Signals { running: Some(3), ..Signals::default() };
    let observation = Observation { signals, adapters: None, restarted: false };
    fleet.observe("10.0.0.1:8000", Some(observation), Snapshot::default());
    let said = |fleet: &Fleet| fleet.endpoints(NOW)[0].1[0].load.signals;
    fleet.publish([("ns/a", vec![endpoint(1)])]);
    assert_eq!(said(&fleet), Some(signals));
    fleet.publish([("ns/a", vec![Endpoint { pod: "ns/another".into(), ..endpoint(1) }])]);
    assert_eq!(said(&fleet), None);
}

#[test]
fn a_request_that_ends_while_its_engine_is_asked_is_not_counted_on() {
    let mut fleet = fleet(1);
    let (_, dispatch) = pick(&mut fleet, &REQUEST).unwrap();
    let before = fleet.in_flight_at("10.0.0.1:8000");
    fleet.end(dispatch.unwrap());
    let signals = Signals { running: Some(1), ..Signals::default() };
    fleet.observe("10.0.0.1:8000", Some(Observation { signals, adapters: None, restarted: false }), before);
    assert_eq!(fleet.endpoints(NOW)[0].1[0].load.requests(), 0);
}

#[test]
fn how_fast_an_endpoint_is_comes_from_requests_that_it_served() {
    let mut fleet = fleet(1);
    let second = Some(Duration::from_secs(1));
    let ended =
        Ended { address: Some("10.0.0.1:8000"), status: 200, ttft: second, duration: second, ..Ended::default() };
    fleet.completed(&Ended { status: 503, ttft: Some(Duration::from_millis(1)), ..ended }, NOW);
    assert_eq!(fleet.endpoints(NOW)[0].1[0].load, Load::default(), "a refusal is fast and says nothing");
    fleet.completed(&ended, NOW);
    let load = fleet.endpoints(NOW)[0].1[0].load;
    assert_eq!((load.ttft, load.tpot, load.duration), (Some(1.0), None, Some(1.0)));
}

fn by_prefix() -> Profile {
    Profile::new(vec![], vec![(Box::new(PrefixCache::default()), 1.0)])
}

const PROMPT: Request<'static> = Request { prefix: &[11, 12, 13, 14], ..REQUEST };

/// Sends a prompt, as number `key`; answers whereto, and the largest share that was found.
fn send(fleet: &mut Fleet, request: &Request<'_>, key: u64) -> (String, f64) {
    let pick = fleet.pick(&by_prefix(), request, Some(key), NOW, &mut || 0, &mut |_| ()).unwrap();
    let address = pick.decision.addresses().next().unwrap().to_string();
    pick.dispatch.into_iter().for_each(|dispatch| fleet.end(dispatch));
    (address, pick.prefix.unwrap().best)
}

fn ended(fleet: &mut Fleet, key: u64, address: &str, status: u16) {
    fleet.completed(&Ended { key: Some(key), address: Some(address), status, ..Ended::default() }, NOW);
}

#[test]
fn a_burst_of_equal_prompts_lands_together_before_the_first_has_ended() {
    let mut fleet = fleet(3);
    let (first, found) = send(&mut fleet, &PROMPT, 1);
    assert_eq!(found, 0.0);
    for key in 2..20 {
        assert_eq!(send(&mut fleet, &PROMPT, key), (first.clone(), 1.0));
    }
    let (_, found) = send(&mut fleet, &Request { prefix: &[11, 12, 23, 24], ..PROMPT }, 20);
    assert_eq!(found, 0.5);
}

#[test]
fn a_prompt_that_failed_is_not_thought_cached() {
    let mut fleet = fleet(3);
    let (first, _) = send(&mut fleet, &PROMPT, 1);
    ended(&mut fleet, 1, &first, 503);
    assert_eq!((send(&mut fleet, &PROMPT, 2).1, fleet.prefix_entries()), (0.0, 4));
    ended(&mut fleet, 2, &first, 200);
    assert_eq!(send(&mut fleet, &PROMPT, 3).1, 1.0);
}

#[test]
fn a_prompt_that_a_retry_took_elsewhere_is_known_to_be_there() {
    let mut fleet = fleet(3);
    let (first, _) = send(&mut fleet, &PROMPT, 1);
    let other = if first == "10.0.0.1:8000" { "10.0.0.2:8000" } else { "10.0.0.1:8000" };
    ended(&mut fleet, 1, other, 200);
    assert_eq!(send(&mut fleet, &PROMPT, 2), (other.to_owned(), 1.0));
}

#[test]
fn what_a_client_that_went_away_had_computed_stays() {
    let mut fleet = fleet(3);
    let (first, _) = send(&mut fleet, &PROMPT, 1);
    ended(&mut fleet, 1, &first, 0);
    assert_eq!(send(&mut fleet, &PROMPT, 2), (first, 1.0));
}

#[test]
fn an_engine_that_was_started_again_or_sleeps_has_no_cache() {
    for (restarted, asleep) in [(true, false), (false, true)] {
        let mut fleet = fleet(3);
        let (first, _) = send(&mut fleet, &PROMPT, 1);
        let signals = Signals { asleep, ..Signals::default() };
        let said = |restarted| Some(Observation { signals, adapters: None, restarted });
        fleet.observe(&first, said(restarted), Snapshot::default());
        assert_eq!((fleet.prefix_entries(), send(&mut fleet, &PROMPT, 2).1), (0, 0.0));
    }
}

#[test]
fn an_endpoint_that_left_takes_its_prompts_with_it() {
    let mut fleet = fleet(1);
    send(&mut fleet, &PROMPT, 1);
    fleet.publish([("ns/a", vec![endpoint(2)])]);
    assert_eq!(fleet.prefix_entries(), 0);
    ended(&mut fleet, 1, "10.0.0.1:8000", 200);
    assert_eq!(fleet.prefix_entries(), 0, "nobody is there to have it");
}

/// What became of requests, one after the other, at a fleet of which some endpoints are bad: picks of each.
fn outcomes(
    fleet: &mut Fleet,
    requests: u64,
    now: Duration,
    bad: impl Fn(&str) -> Option<u16>,
) -> HashMap<Arc<str>, u32> {
    outcomes_of(fleet, requests, MAX_PICKS, now, bad)
}

/// The same, where a request is tried so often.
fn outcomes_of(
    fleet: &mut Fleet,
    requests: u64,
    tries: usize,
    now: Duration,
    bad: impl Fn(&str) -> Option<u16>,
) -> HashMap<Arc<str>, u32> {
    let mut picked = HashMap::new();
    let mut drawn = 0_u64;
    for key in 1..=requests {
        let mut random = || {
            drawn += 1;
            drawn.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
        };
        let pick = fleet.pick(&Profile::default(), &REQUEST, Some(key), now, &mut random, &mut |_| ()).unwrap();
        let list: Vec<_> = pick.decision.addresses().cloned().collect();
        *picked.entry(Arc::clone(&list[0])).or_default() += 1;
        // As Envoy: what answers 5xx is tried again, a 4xx is an answer.
        let list = &list[..tries.min(list.len())];
        let tried = list.iter().take_while(|address| bad(address).is_some_and(|status| status >= 500)).count();
        let (attempts, last) = ((tried + 1).min(list.len()) as u32, &list[tried.min(list.len() - 1)]);
        let status = bad(last).unwrap_or(200);
        pick.dispatch.into_iter().for_each(|dispatch| fleet.end(dispatch));
        let target = Some("ns/a");
        fleet.completed(
            &Ended { key: Some(key), target, attempts, address: Some(last), status, ..Ended::default() },
            now,
        );
    }
    picked
}

#[test]
fn an_endpoint_that_fails_is_left_out_though_its_requests_are_served_by_others() {
    let mut fleet = fleet(3);
    let bad = "10.0.0.1:8000";
    let picked = outcomes(&mut fleet, 100, NOW, |address| (address == bad).then_some(500));
    assert_eq!(picked[bad], 5, "{picked:?}");
    assert_eq!(fleet.ejected(NOW), [(bad.into(), Duration::from_secs(10))]);
    let (decision, _) = pick(&mut fleet, &REQUEST).unwrap();
    assert_eq!(decision.verdicts[0].dropped_by, Some(crate::scheduling::EJECTED));
    assert!(!decision.dropped_any(), "Envoy may try it after all others");
}

#[test]
fn one_request_tries_it_when_its_time_is_over() {
    let mut fleet = fleet(3);
    let bad = "10.0.0.1:8000";
    outcomes(&mut fleet, 100, NOW, |address| (address == bad).then_some(503));
    let later = NOW + Duration::from_secs(10);
    let picked = outcomes(&mut fleet, 100, later, |address| (address == bad).then_some(503));
    assert_eq!(picked[bad], 1, "{picked:?}");
    assert_eq!(fleet.ejected(later), [(bad.into(), Duration::from_secs(20))]);
    let later = later + Duration::from_secs(20);
    let picked = outcomes(&mut fleet, 90, later, |_| None);
    assert!(picked[bad] > 20, "{picked:?}");
}

#[test]
fn while_it_is_tried_nobody_else_is_sent_there() {
    let mut fleet = fleet(3);
    let bad = "10.0.0.1:8000";
    outcomes(&mut fleet, 100, NOW, |address| (address == bad).then_some(503));
    let later = NOW + Duration::from_secs(10);
    let picks: Vec<_> = (0..30)
        .filter_map(|_| fleet.pick(&Profile::default(), &REQUEST, None, later, &mut || 0, &mut |_| ()))
        .filter_map(|pick| pick.decision.addresses().next().cloned())
        .collect();
    assert_eq!(picks.iter().filter(|pick| ***pick == *bad).count(), 1, "{picks:?}");
}

#[test]
fn what_fails_everywhere_ejects_nobody_however_often_it_is_tried() {
    for endpoints in [1, 2, 3, 4, 5, 8, 20] {
        for tries in [1, 2, 5] {
            let mut fleet = fleet(endpoints);
            outcomes_of(&mut fleet, 200, tries, NOW, |_| Some(500));
            let out = fleet.ejected(NOW).len();
            // Where each request asks one of them, five in a row may be one's by chance.
            assert!(out <= usize::from(tries == 1), "{out} of {endpoints} after {tries} tries");
        }
    }
}

#[test]
fn engines_that_fail_while_half_of_the_pool_serves_are_left_out_soon_however_often_it_is_tried() {
    for (endpoints, bad) in [(2, 1), (4, 2), (5, 2), (10, 1), (10, 5), (30, 10)] {
        for tries in [1, 2, 5] {
            let mut fleet = fleet(endpoints);
            let number =
                |address: &str| address[5..].split(':').next().unwrap().split('.').next_back().unwrap().parse();
            let is_bad = |address: &str| number(address).is_ok_and(|number: usize| number <= bad).then_some(503);
            outcomes_of(&mut fleet, 60 * endpoints as u64, tries, NOW, is_bad);
            let out = fleet.ejected(NOW);
            assert_eq!(out.len(), bad, "{bad} of {endpoints} fail, {tries} tries: {out:?}");
            assert!(out.iter().all(|(address, _)| is_bad(address).is_some()), "{out:?}");
        }
    }
}

#[test]
fn engines_that_fail_at_once_and_draw_all_requests_are_left_out() {
    // Those that serve are busy, look it, and have nothing to tell.
    let mut fleet = fleet(10);
    let mut keep = Vec::new();
    for key in 1000..1050 {
        let pick = fleet.pick(&Profile::default(), &REQUEST, Some(key), NOW, &mut || 0, &mut |_| ()).unwrap();
        let address = pick.decision.addresses().next().unwrap().to_string();
        if ["1", "2", "3", "4", "5"].iter().any(|n| address == format!("10.0.0.{n}:8000")) {
            pick.dispatch.into_iter().for_each(|dispatch| fleet.end(dispatch));
        } else {
            keep.push(pick.dispatch);
        }
        let failed = keep.len() >= 5;
        if failed {
            break;
        }
    }
    for key in 1..=10 {
        let pick = fleet.pick(&Profile::default(), &REQUEST, Some(key), NOW, &mut || 0, &mut |_| ()).unwrap();
        let last = pick.decision.addresses().last().cloned().unwrap();
        pick.dispatch.into_iter().for_each(|dispatch| fleet.end(dispatch));
        let ended = Ended {
            key: Some(key),
            target: Some("ns/a"),
            attempts: 5,
            address: Some(&last),
            status: 503,
            ..Ended::default()
        };
        fleet.completed(&ended, NOW);
    }
    assert_eq!(fleet.ejected(NOW).len(), 5);
}

#[test]
fn an_endpoint_that_half_of_its_pool_spares_is_not_told_as_left_out() {
    let mut fleet = fleet(2);
    for number in 1..=2 {
        let engine = &mut fleet.engines[number - 1];
        (0..5).for_each(|_| _ = engine.health.failed(Rest { others: 1, well: 1 }, NOW, NOW));
        fleet.tell(Some(number as Slot - 1));
    }
    assert_eq!(fleet.ejected(NOW).len(), 1);
    assert_eq!(fleet.endpoints(NOW)[0].1.iter().filter(|seen| seen.ejected.is_some()).count(), 1);
}

#[test]
fn an_answer_that_fell_silent_and_a_501_eject_nobody() {
    for (status, broken, silent, out) in
        [(200, true, true, 0), (200, true, false, 1), (501, false, false, 0), (504, false, false, 1)]
    {
        let mut fleet = fleet(2);
        let ended = Ended {
            target: Some("ns/a"),
            attempts: 1,
            address: Some("10.0.0.1:8000"),
            status,
            broken,
            silent,
            ..Ended::default()
        };
        (0..20).for_each(|_| fleet.completed(&ended, NOW));
        assert_eq!(fleet.ejected(NOW).len(), out, "{ended:?}");
    }
}

#[test]
fn a_list_that_begins_anew_blames_whoever_was_tried() {
    let mut fleet = fleet(2);
    for key in 1..=5 {
        let pick = fleet.pick(&Profile::default(), &REQUEST, Some(key), NOW, &mut || 0, &mut |_| ()).unwrap();
        let first = pick.decision.addresses().next().cloned();
        pick.dispatch.into_iter().for_each(|dispatch| fleet.end(dispatch));
        let ended = Ended {
            key: Some(key),
            target: Some("ns/a"),
            attempts: 3,
            address: first.as_deref(),
            status: 200,
            ..Ended::default()
        };
        fleet.completed(&ended, NOW);
    }
    assert!(fleet.engines.iter().any(|engine| !engine.health.is_well_since(NOW)));
}

#[test]
fn one_client_with_a_bad_key_keeps_no_healthy_endpoint_out() {
    let mut fleet = fleet(3);
    outcomes(&mut fleet, 300, NOW, |address| (address == "10.0.0.1:8000").then_some(401));
    assert_eq!(fleet.ejected(NOW).len(), 1);
    outcomes(&mut fleet, 40, NOW, |_| Some(401));
    let later = NOW + Duration::from_secs(10);
    outcomes(&mut fleet, 10, later, |_| Some(401));
    assert_eq!(fleet.ejected(later), []);
}

#[test]
fn an_engine_that_refuses_at_once_draws_no_traffic_for_long() {
    for status in [401, 404, 429] {
        let mut fleet = fleet(3);
        let bad = "10.0.0.1:8000";
        let picked = outcomes(&mut fleet, 300, NOW, |address| (address == bad).then_some(status));
        assert_eq!(picked[bad], 20, "{status}: {picked:?}");
        assert_eq!(fleet.ejected(NOW).len(), 1);
    }
}

#[test]
fn clients_that_send_nonsense_eject_nobody() {
    for status in [400, 404, 422] {
        let mut fleet = fleet(3);
        outcomes(&mut fleet, 500, NOW, |_| Some(status));
        assert_eq!(fleet.ejected(NOW), []);
    }
}

#[test]
fn a_try_of_somebody_that_was_not_picked_blames_nobody() {
    let mut fleet = fleet(3);
    for key in 1..50 {
        let pick = fleet.pick(&Profile::default(), &REQUEST, Some(key), NOW, &mut || key, &mut |_| ()).unwrap();
        let third = pick.decision.addresses().nth(2).cloned();
        pick.dispatch.into_iter().for_each(|dispatch| fleet.end(dispatch));
        let ended = Ended { key: Some(key), attempts: 2, address: third.as_deref(), status: 200, ..Ended::default() };
        fleet.completed(&ended, NOW);
    }
    assert_eq!(fleet.ejected(NOW), []);
}

#[test]
fn an_endpoint_that_failed_serves_while_the_others_sleep() {
    let mut fleet = fleet(2);
    let bad = "10.0.0.1:8000";
    outcomes(&mut fleet, 50, NOW, |address| (address == bad).then_some(500));
    let signals = Signals { asleep: true, ..Signals::default() };
    fleet.observe(
        "10.0.0.2:8000",
        Some(Observation { signals, adapters: None, restarted: false }),
        Snapshot::default(),
    );
    let (decision, _) = pick(&mut fleet, &REQUEST).unwrap();
    assert_eq!(decision.picks, [0]);
}
