use super::*;
use crate::fleet::ejection::Rest;

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
    assert_eq!(decision.verdict(0).unwrap().dropped_by, Some(crate::scheduling::EJECTED));
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
