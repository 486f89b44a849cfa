//! A decision in words and figures, as JSON. Scores are shown x100.
//!
//! Borrowed from the record: of a thousand endpoints, a tree of JSON values would take megabytes a decision.

use crate::decisions::Record;
use kthena_core::scheduling::{Decision, Endpoint, Profile, Saturated, Signals, Verdict};
use serde::Serialize;

/// How many endpoints of one decision are listed at most.
pub(super) const MOST_ENDPOINTS: usize = 32;

/// `{number, time, requestId, target, model, tokens, retriesWithheld, outcome, routers, scorers, picks, endpoints, omitted}`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Explained<'a> {
    number: u64,
    time: String,
    request_id: Option<&'a str>,
    target: &'a str,
    model: &'a str,
    /// Of its prompt, estimated.
    tokens: u32,
    /// The ModelServer's retry budget was spent.
    retries_withheld: bool,
    outcome: String,
    /// How many routers there seem to be that do as this one does.
    routers: f64,
    scorers: Vec<Weighted>,
    picks: Vec<&'a str>,
    /// Picks in their order, then the others by their total, then those that were dropped.
    endpoints: Vec<Candidate<'a>>,
    /// How many endpoints are not listed.
    omitted: usize,
}

#[derive(Debug, Serialize)]
struct Weighted {
    name: &'static str,
    weight: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Candidate<'a> {
    address: &'a str,
    pod: &'a str,
    pick: Option<usize>,
    in_flight: u32,
    /// Of the prompts in flight, estimated.
    tokens: u32,
    /// All requests that it has, as far as we know.
    requests: u32,
    /// Tokens of our prompts there that are still to be computed, estimated.
    prefill: f64,
    /// What it is ranked by: requests and prompts that are still to be computed.
    work: f64,
    signals: Option<Said>,
    measured: Measured,
    /// Per cent of the prompt that it has in its cache, as far as we know.
    matched: f64,
    dropped_by: Option<&'static str>,
    reason: Option<String>,
    scores: Vec<Scored>,
    total: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Scored {
    scorer: &'static str,
    score: f64,
}

/// What our own requests took there lately, in seconds; `null` when there were none.
#[derive(Debug, Serialize)]
struct Measured {
    ttft: Option<f32>,
    tpot: Option<f32>,
    duration: Option<f32>,
}

/// What the engine said of itself; `null` for what it did not.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Said {
    running: Option<u32>,
    waiting: Option<u32>,
    kv_cache_usage: Option<f32>,
    kv_cache_tokens: Option<u32>,
    ttft: Option<f32>,
    tpot: Option<f32>,
    asleep: bool,
}

/// Says what was decided, and why.
pub(super) fn explain<'a>(record: &'a Record, profile: &Profile) -> Explained<'a> {
    let decision = record.decision.as_ref();
    let scorers = decision.map_or(&[][..], |decision| &*decision.scorers);
    let endpoints = decision.map(|decision| listed(decision, profile)).unwrap_or_default();
    Explained {
        number: record.number,
        time: humantime::format_rfc3339_millis(record.time).to_string(),
        request_id: (!record.request_id.is_empty()).then_some(&record.request_id),
        target: &record.target,
        model: &record.model,
        tokens: record.tokens,
        retries_withheld: record.rationed,
        outcome: outcome(record),
        routers: decision
            .and_then(|decision| decision.loads.first())
            .map_or(1.0, |load| hundredths(load.routers.max(1.0).into())),
        scorers: scorers.iter().map(|(name, weight)| Weighted { name, weight: *weight }).collect(),
        picks: decision.into_iter().flat_map(Decision::addresses).map(|address| &**address).collect(),
        omitted: decision.map_or(0, |decision| decision.verdicts().len()) - endpoints.len(),
        endpoints,
    }
}

/// The endpoints that tell the most.
fn listed<'a>(decision: &'a Decision, profile: &Profile) -> Vec<Candidate<'a>> {
    let mut all: Vec<_> = (0..).zip(decision.verdicts()).map(|(index, verdict)| (None, index, verdict)).collect();
    for (place, pick) in (1..).zip(&decision.picks) {
        if let Some((of, ..)) = all.get_mut(*pick) {
            *of = Some(place);
        }
    }
    // Stable: those that are equal stay as they were looked at.
    all.sort_by(|(place, _, verdict), (other_place, _, other)| {
        let group = |place: &Option<usize>, verdict: &Verdict| (place.is_none(), *place, verdict.dropped_by.is_some());
        let by_group = group(place, verdict).cmp(&group(other_place, other));
        by_group.then_with(|| other.total.total_cmp(&verdict.total))
    });
    all.truncate(MOST_ENDPOINTS);
    all.into_iter().filter_map(|(place, index, verdict)| candidate(decision, index, verdict, place, profile)).collect()
}

/// The decision in a sentence.
fn outcome(record: &Record) -> String {
    let Some(decision) = &record.decision else {
        return "no pick: nobody published this target; left to the ModelServer's failure mode".to_owned();
    };
    if let Some(Saturated { by, retry_after }) = decision.saturated {
        let seconds = retry_after.as_secs();
        return format!("refused: every endpoint was dropped, the last by {by}; 429, to be asked again in {seconds} s");
    }
    let Some(first) = decision.picks.first().and_then(|pick| decision.endpoints.get(*pick)) else {
        return "no pick: the target has no endpoints; left to the ModelServer's failure mode".to_owned();
    };
    match decision.picks.len() - 1 {
        0 => format!("{} and no other to retry", first.pod),
        1 => format!("{}, then 1 to retry", first.pod),
        more => format!("{}, then {more} to retry", first.pod),
    }
}

fn candidate<'a>(
    decision: &'a Decision,
    index: usize,
    verdict: Verdict,
    pick: Option<usize>,
    profile: &Profile,
) -> Option<Candidate<'a>> {
    let Endpoint { address, pod } = decision.endpoints.get(index)?;
    let scores = decision.scorers.iter().zip(decision.scores(index));
    let load = decision.loads.get(index)?;
    Some(Candidate {
        address,
        pod,
        pick,
        in_flight: load.in_flight,
        tokens: load.tokens,
        requests: load.requests(),
        prefill: load.prefill.round().into(),
        work: hundredths(load.work()),
        signals: load.signals.as_ref().map(signals),
        measured: Measured { ttft: load.ttft, tpot: load.tpot, duration: load.duration },
        matched: shown(verdict.matched),
        dropped_by: verdict.dropped_by,
        reason: verdict.dropped_by.and_then(|name| profile.reason(name)),
        scores: scores.map(|((scorer, _), score)| Scored { scorer, score: shown(score) }).collect(),
        total: verdict.scored.then_some(shown(verdict.total)),
    })
}

/// As it is shown.
pub(super) fn signals(signals: &Signals) -> Said {
    let Signals { running, waiting, kv_cache_usage, kv_cache_tokens, ttft, tpot, asleep } = *signals;
    Said { running, waiting, kv_cache_usage, kv_cache_tokens, ttft, tpot, asleep }
}

/// x100, to two digits after the point.
fn shown(score: f64) -> f64 {
    hundredths(score * 100.0)
}

fn hundredths(figure: f64) -> f64 {
    (figure * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use kthena_core::scheduling::{Known, LeastRequest, Load, MaxWaiting, Request};
    use serde_json::{Value, json};
    use std::time::{Duration, SystemTime};

    /// A name, requests in flight, and how many wait in its engine if it says.
    type Given = (String, u32, Option<u32>);

    fn decide(profile: &Profile, given: &[Given]) -> Decision {
        let endpoints = given.iter().map(|(name, ..)| Endpoint {
            address: format!("{name}:8000").into(),
            pod: format!("default/{name}").into(),
        });
        let load = |(_, in_flight, waiting): &Given| {
            let signals = waiting.map(|waiting| Signals { waiting: Some(waiting), ..Signals::default() });
            Load { in_flight: *in_flight, signals, ..Load::default() }
        };
        let known = given.iter().map(|_| Known { matched: 0.25, ..Known::default() });
        let loads = given.iter().map(load).collect();
        profile.decide(&Request::default(), &endpoints.collect(), loads, known, &mut || 0)
    }

    fn given(name: &str, in_flight: u32, waiting: Option<u32>) -> Given {
        (name.to_owned(), in_flight, waiting)
    }

    fn record(decision: Option<Decision>) -> Record {
        Record {
            number: 7,
            time: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123),
            request_id: "id-1".to_owned(),
            target: "default/a".to_owned(),
            model: "m".to_owned(),
            tokens: 12,
            rationed: false,
            decision,
        }
    }

    fn told(record: &Record, profile: &Profile) -> Value {
        serde_json::to_value(explain(record, profile)).unwrap()
    }

    #[test]
    fn every_endpoint_s_verdict_is_told_in_figures_and_words() {
        let profile = Profile::new(vec![Box::new(MaxWaiting(10))], vec![(Box::new(LeastRequest), 2.0)]);
        let decision = decide(&profile, &[given("p", 3, None), given("q", 1, None), given("r", 0, Some(12))]);
        let told = told(&record(Some(decision)), &profile);
        let expected = json!({
            "number": 7, "time": "2023-11-14T22:13:20.123Z", "requestId": "id-1", "target": "default/a", "model": "m", "tokens": 12,
            "retriesWithheld": false,
            "outcome": "default/q, then 1 to retry", "routers": 1.0,
            "scorers": [{"name": "least-request", "weight": 2.0}],
            "picks": ["q:8000", "p:8000"],
            "endpoints": [
                {"address": "q:8000", "pod": "default/q", "pick": 1, "inFlight": 1, "tokens": 0, "requests": 1, "prefill": 0.0, "work": 1.0, "signals": null, "measured": {"ttft": null, "tpot": null, "duration": null},
                 "matched": 25.0, "droppedBy": null,
                 "reason": null, "scores": [{"scorer": "least-request", "score": 93.75}], "total": 187.5},
                {"address": "p:8000", "pod": "default/p", "pick": 2, "inFlight": 3, "tokens": 0, "requests": 3, "prefill": 0.0, "work": 3.0, "signals": null, "measured": {"ttft": null, "tpot": null, "duration": null},
                 "matched": 25.0, "droppedBy": null,
                 "reason": null, "scores": [{"scorer": "least-request", "score": 81.25}], "total": 162.5},
                {"address": "r:8000", "pod": "default/r", "pick": null, "inFlight": 0, "tokens": 0, "requests": 12, "prefill": 0.0, "work": 12.0,
                 "signals": {"running": null, "waiting": 12, "kvCacheUsage": null, "kvCacheTokens": null, "ttft": null,
                             "tpot": null, "asleep": false},
                 "measured": {"ttft": null, "tpot": null, "duration": null}, "matched": 25.0, "droppedBy": "least-request", "reason": "10 or more requests wait in its engine", "scores": [],
                 "total": null},
            ],
            "omitted": 0,
        });
        assert_eq!(told, expected, "{told:#}");
    }

    #[test]
    fn a_decision_without_a_pick_says_why() {
        let profile = Profile::new(vec![Box::new(MaxWaiting(1))], vec![]);
        let outcome = |decision| told(&record(decision), &profile)["outcome"].as_str().unwrap().to_owned();
        let decide = |given: &[Given]| Some(decide(&profile, given));
        assert!(outcome(None).contains("nobody published this target"));
        assert!(outcome(decide(&[])).contains("has no endpoints"));
        let refused = "refused: every endpoint was dropped, the last by least-request; 429, to be asked again in 1 s";
        assert_eq!(outcome(decide(&[given("p", 0, Some(1))])), refused);
        assert_eq!(outcome(decide(&[given("p", 0, None)])), "default/p and no other to retry");
    }

    #[test]
    fn of_many_endpoints_the_picks_and_the_best_are_listed() {
        let profile = Profile::new(vec![Box::new(MaxWaiting(10))], vec![(Box::new(LeastRequest), 1.0)]);
        let waiting = |load| if load < 500 { Some(12) } else { None };
        let all: Vec<_> = (0..1000).map(|load| given(&format!("e{load}"), load, waiting(load))).collect();
        let told = told(&record(Some(decide(&profile, &all))), &profile);
        let listed = told["endpoints"].as_array().unwrap();
        assert_eq!((listed.len(), &told["omitted"]), (MOST_ENDPOINTS, &json!(1000 - MOST_ENDPOINTS)));
        let picks = told["picks"].as_array().unwrap();
        let first: Vec<_> = listed.iter().take(picks.len()).map(|endpoint| endpoint["address"].clone()).collect();
        assert_eq!(first, *picks);
        let pods: Vec<_> = listed.iter().map(|endpoint| endpoint["pod"].as_str().unwrap().to_owned()).collect();
        let best: Vec<_> = (500..).take(MOST_ENDPOINTS).map(|load| format!("default/e{load}")).collect();
        assert_eq!(pods, best);
    }
}
