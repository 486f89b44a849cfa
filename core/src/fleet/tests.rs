mod blame;
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

/// Whether a prompt of so many tokens is thought to be where it was sent, once its client went away after that time.
fn stays(tokens: u32, after: Duration) -> bool {
    let mut fleet = fleet(3);
    let long = Request { tokens, ..PROMPT };
    let (first, _) = send(&mut fleet, &long, 1);
    let ended = Ended { key: Some(1), address: Some(&first), duration: Some(after), ..Ended::default() };
    fleet.completed(&ended, NOW);
    let kept = fleet.prefix_entries() > 0;
    assert_eq!(send(&mut fleet, &long, 2), (first, if kept { 1.0 } else { 0.0 }));
    kept
}

#[test]
fn what_a_client_that_went_away_had_computed_stays() {
    assert!(stays(PROMPT.tokens, Duration::from_millis(100)) && stays(30_000, Duration::from_secs(30)));
}

#[test]
fn a_long_prompt_that_its_client_gave_up_before_it_can_have_been_computed_is_not_thought_cached() {
    assert!(!stays(30_000, Duration::from_millis(100)));
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
