//! A decision in words and figures, as JSON. Scores are shown x100.

use crate::decisions::Record;
use kthena_core::scheduling::{Decision, Profile, Signals, Verdict};
use serde_json::{Value, json};

/// `{number, time, requestId, target, model, outcome, scorers, picks, endpoints}`.
pub(super) fn explain(record: &Record, profile: &Profile) -> Value {
    let none = Decision { scorers: Vec::new(), verdicts: Vec::new(), picks: Vec::new() };
    let decision = record.decision.as_ref().unwrap_or(&none);
    let request_id = (!record.request_id.is_empty()).then_some(&record.request_id);
    let scorers: Vec<_> =
        decision.scorers.iter().map(|(name, weight)| json!({ "name": name, "weight": weight })).collect();
    let endpoints = (0..).zip(&decision.verdicts).map(|(index, verdict)| {
        let place = decision.picks.iter().position(|pick| *pick == index).map(|place| place + 1);
        endpoint(decision, verdict, place, profile)
    });
    json!({
        "number": record.number,
        "time": humantime::format_rfc3339_millis(record.time).to_string(),
        "requestId": request_id,
        "target": record.target,
        "model": record.model,
        "outcome": outcome(record),
        "scorers": scorers,
        "picks": decision.addresses().map(|address| &**address).collect::<Vec<&str>>(),
        "endpoints": endpoints.collect::<Vec<_>>(),
    })
}

/// The decision in a sentence.
fn outcome(record: &Record) -> String {
    let Some(decision) = &record.decision else {
        return "no pick: nobody published this target; left to the ModelServer's failure mode".to_owned();
    };
    let Some(first) = decision.picks.first().and_then(|pick| decision.verdicts.get(*pick)) else {
        return match decision.verdicts.is_empty() {
            true => "no pick: the target has no endpoints; left to the ModelServer's failure mode".to_owned(),
            false => "no pick: every endpoint was dropped; left to the ModelServer's failure mode".to_owned(),
        };
    };
    match decision.picks.len() - 1 {
        0 => format!("{} and no other to retry", first.pod),
        1 => format!("{}, then 1 to retry", first.pod),
        more => format!("{}, then {more} to retry", first.pod),
    }
}

fn endpoint(decision: &Decision, verdict: &Verdict, place: Option<usize>, profile: &Profile) -> Value {
    let scores = decision.scorers.iter().zip(&verdict.scores);
    let scores: Vec<_> = scores.map(|((name, _), score)| json!({ "scorer": name, "score": shown(*score) })).collect();
    json!({
        "address": &*verdict.address,
        "pod": &*verdict.pod,
        "pick": place,
        "inFlight": verdict.load.in_flight,
        "signals": verdict.load.signals.as_ref().map(signals),
        "droppedBy": verdict.dropped_by,
        "reason": verdict.dropped_by.and_then(|name| profile.reason(name)),
        "scores": scores,
        "total": (verdict.dropped_by.is_none() || !verdict.scores.is_empty()).then_some(shown(verdict.total)),
    })
}

/// What the engine said of itself; `null` for what it did not.
pub(super) fn signals(signals: &Signals) -> Value {
    json!({
        "running": signals.running,
        "waiting": signals.waiting,
        "kvCacheUsage": signals.kv_cache_usage,
        "ttft": signals.ttft,
        "tpot": signals.tpot,
        "asleep": signals.asleep,
    })
}

/// x100, to two digits after the point.
fn shown(score: f64) -> f64 {
    (score * 10_000.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use kthena_core::scheduling::{Endpoint, LeastRequest, Load, MaxWaiting, Request};
    use std::time::{Duration, SystemTime};

    const REQUEST: Request<'static> = Request { target: "default/a", model: "m" };

    fn endpoint(name: &str, in_flight: u32, waiting: Option<u32>) -> Endpoint {
        let signals = waiting.map(|waiting| Signals { waiting: Some(waiting), ..Signals::default() });
        Endpoint {
            address: format!("{name}:8000").into(),
            pod: format!("default/{name}").into(),
            load: Load { in_flight, signals },
            models: None,
        }
    }

    fn record(decision: Option<Decision>) -> Record {
        Record {
            number: 7,
            time: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123),
            request_id: "id-1".to_owned(),
            target: "default/a".to_owned(),
            model: "m".to_owned(),
            decision,
        }
    }

    #[test]
    fn every_endpoint_s_verdict_is_told_in_figures_and_words() {
        let profile = Profile::new(vec![Box::new(MaxWaiting(10))], vec![(Box::new(LeastRequest), 2.0)]);
        let endpoints = [endpoint("p", 3, None), endpoint("q", 1, None), endpoint("r", 0, Some(12))];
        let decision = profile.decide(&REQUEST, &endpoints, &mut || 0);
        let told = explain(&record(Some(decision)), &profile);
        let expected = json!({
            "number": 7, "time": "2023-11-14T22:13:20.123Z", "requestId": "id-1", "target": "default/a", "model": "m",
            "outcome": "default/q, then 1 to retry",
            "scorers": [{"name": "least-request", "weight": 2.0}],
            "picks": ["q:8000", "p:8000"],
            "endpoints": [
                {"address": "p:8000", "pod": "default/p", "pick": 2, "inFlight": 3, "signals": null, "droppedBy": null,
                 "reason": null, "scores": [{"scorer": "least-request", "score": 0.0}], "total": 0.0},
                {"address": "q:8000", "pod": "default/q", "pick": 1, "inFlight": 1, "signals": null, "droppedBy": null,
                 "reason": null, "scores": [{"scorer": "least-request", "score": 66.67}], "total": 133.33},
                {"address": "r:8000", "pod": "default/r", "pick": null, "inFlight": 0,
                 "signals": {"running": null, "waiting": 12, "kvCacheUsage": null, "ttft": null, "tpot": null,
                             "asleep": false},
                 "droppedBy": "least-request", "reason": "10 or more requests wait in its engine", "scores": [],
                 "total": null},
            ],
        });
        assert_eq!(told, expected, "{told:#}");
    }

    #[test]
    fn a_decision_without_a_pick_says_why() {
        let profile = Profile::new(vec![Box::new(MaxWaiting(1))], vec![]);
        let outcome = |decision| explain(&record(decision), &profile)["outcome"].as_str().unwrap().to_owned();
        let decide = |endpoints: &[Endpoint]| Some(profile.decide(&REQUEST, endpoints, &mut || 0));
        assert!(outcome(None).contains("nobody published this target"));
        assert!(outcome(decide(&[])).contains("has no endpoints"));
        assert!(outcome(decide(&[endpoint("p", 0, Some(1))])).contains("every endpoint was dropped"));
        assert_eq!(outcome(decide(&[endpoint("p", 0, None)])), "default/p and no other to retry");
    }
}
