mod herding;

use super::*;
use crate::scheduling::Signals;

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
    fleet.pick(&Profile::default(), request, None, NOW, &mut || 0, &mut |_| ())
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
    let observation = Observation { signals, adapters: None };
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
    fleet.observe("10.0.0.1:8000", Some(Observation { signals, adapters: None }), before);
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
