use super::*;
use crate::scheduling::{Candidate, Endpoint, Load, Request, Signals};

fn parse(json: &str) -> Result<RouterConfiguration, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

#[test]
fn an_empty_file_is_the_default() {
    let compiled = parse("{}").unwrap().compile().unwrap();
    assert_eq!(compiled.max_request_body_bytes, 64 << 20);
    assert!(compiled.problems.is_empty());
}

#[test]
fn upstreams_default_file_is_accepted_and_says_what_it_is_served_without() {
    let compiled = parse(
        r#"{"scheduler": {
            "pluginConfig": [{"name": "least-request", "args": {"maxWaitingRequests": 10}}, {"name": "prefix-cache"}],
            "plugins": {
              "Filter": {"enabled": ["least-request"], "disabled": ["lora-affinity"]},
              "Score": {"enabled": [{"name": "least-request", "weight": 1}, {"name": "gpu-usage", "weight": 1}]}}},
            "auth": {"issuer": "", "audiences": [], "jwksUri": ""}}"#,
    )
    .unwrap()
    .compile()
    .unwrap();
    assert_eq!(compiled.problems, ["scheduler.plugins.Score.enabled: `gpu-usage` does not score in this version"]);
}

/// Whether an endpoint with that many requests waiting is picked under these arguments of `least-request`.
fn picked(arguments: &str, waiting: u32) -> (bool, Vec<String>) {
    let json = format!(
        r#"{{"scheduler": {{"pluginConfig": [{{"name": "least-request", "args": {arguments}}}],
            "plugins": {{"Filter": {{"enabled": ["least-request"]}}}}}}}}"#
    );
    let compiled = parse(&json).unwrap().compile().unwrap();
    let signals = Signals { waiting: Some(waiting), ..Signals::default() };
    let load = Load { signals: Some(signals), ..Load::default() };
    let endpoints = [Endpoint { address: "a:1".into(), pod: "ns/a".into() }].into();
    let candidates = [Candidate { load, ..Candidate::default() }];
    let decision = compiled.profile.decide(&Request::default(), &endpoints, &candidates, &mut || 0);
    (!decision.picks.is_empty(), compiled.problems)
}

#[test]
fn least_request_filters_by_its_limit_of_waiting_requests() {
    for (arguments, limit) in [("{}", 10), (r#"{"maxWaitingRequests": 3}"#, 3), (r#"{"MAXwaitingRequests": 1}"#, 1)] {
        assert_eq!(picked(arguments, limit - 1), (true, vec![]), "{arguments}");
        assert_eq!(picked(arguments, limit), (false, vec![]), "{arguments}");
    }
}

#[test]
fn a_limit_of_waiting_requests_that_is_none_is_named_and_ten_counts() {
    for bad in ["0", "-1", "1.5", "\"ten\"", "null", "4294967296"] {
        let arguments = format!(r#"{{"maxWaitingRequests": {bad}}}"#);
        let problem = format!(
            "scheduler.pluginConfig[least-request].args.maxWaitingRequests: {bad} is not a whole number between 1 and \
             4294967295, 10 counts"
        );
        assert_eq!(picked(&arguments, 9), (true, vec![problem.clone()]));
        assert_eq!(picked(&arguments, 10), (false, vec![problem]));
    }
    let (_, problems) = picked(r#"{"maxWaiting": 1}"#, 0);
    assert_eq!(
        problems,
        ["scheduler.pluginConfig[least-request].args.maxWaiting: unknown, expected maxWaitingRequests"]
    );
}

#[test]
fn unknown_keys_are_refused() {
    for json in
        [r#"{"schedular": {}}"#, r#"{"dataPlane": {"maxBody": 1}}"#, r#"{"scheduler": {"plugins": {"filter": {}}}}"#]
    {
        assert!(parse(json).unwrap_err().contains("unknown field"), "{json}");
    }
}

#[test]
fn authentication_that_is_not_there_is_refused() {
    let error = parse(r#"{"auth": {"jwksUri": "https://issuer/jwks"}}"#).unwrap().compile().unwrap_err();
    assert_eq!(error, ConfigError::Auth);
}

#[test]
fn an_unknown_plugin_is_refused_with_the_known_ones() {
    let json = r#"{"scheduler": {"plugins": {"Score": {"enabled": [{"name": "fastest", "weight": 1}]}}}}"#;
    let error = parse(json).unwrap().compile().unwrap_err().to_string();
    assert_eq!(
        error,
        "scheduler.plugins.Score.enabled: unknown plugin `fastest`, expected one of least-request, random, \
         lora-affinity, gpu-usage, least-latency, prefix-cache, kvcache-aware"
    );
}

#[test]
fn the_body_limit_has_a_range() {
    for bytes in [0, (256u64 << 20) + 1] {
        let error = parse(&format!(r#"{{"dataPlane": {{"maxRequestBodyBytes": {bytes}}}}}"#)).unwrap().compile();
        assert_eq!(error.unwrap_err(), ConfigError::MaxRequestBodyBytes(bytes));
    }
}
