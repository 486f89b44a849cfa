use super::*;

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
    assert_eq!(
        compiled.problems,
        [
            "scheduler.plugins.Filter.enabled: `least-request` does not filter in this version",
            "scheduler.plugins.Score.enabled: `gpu-usage` does not score in this version",
        ]
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
