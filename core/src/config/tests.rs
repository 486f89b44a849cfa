use super::*;
use crate::prefix::Blocks;
use crate::scheduling::{Endpoint, Load, PrefixArguments, Request, Signals};

fn parse(json: &str) -> Result<RouterConfiguration, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

#[test]
fn an_empty_file_is_the_default() {
    let compiled = parse("{}").unwrap().compile().unwrap();
    assert_eq!(compiled.max_request_body_bytes, 64 << 20);
    assert!(compiled.problems.is_empty());
}

/// Upstream's chart.
const UPSTREAM: &str = r#"{"scheduler": {
    "pluginConfig": [
      {"name": "least-request", "args": {"maxWaitingRequests": 10}},
      {"name": "least-latency", "args": {"TTFTTPOTWeightFactor": 0.5}},
      {"name": "prefix-cache", "args":
        {"blockSizeToHash": 64, "maxBlocksToMatch": 128, "maxHashCacheSize": 50000, "topKMatches": 5}}],
    "plugins": {
      "Filter": {"enabled": ["least-request"], "disabled": ["lora-affinity"]},
      "Score": {"enabled": [
        {"name": "least-request", "weight": 1}, {"name": "gpu-usage", "weight": 1},
        {"name": "least-latency", "weight": 1}, {"name": "prefix-cache", "weight": 1}]}}},
    "auth": {"issuer": "", "audiences": [], "jwksUri": ""}}"#;

#[test]
fn upstreams_default_file_is_served_whole_and_is_what_no_file_means_but_for_lora_affinity() {
    let Compiled { profile, problems, .. } = parse(UPSTREAM).unwrap().compile().unwrap();
    assert_eq!((problems.len(), profile.prefix()), (0, Some(PrefixArguments::default())));
    let written = format!("{profile:?}");
    let default = format!("{:?}", Profile::default());
    let more = written.replace(r#"["least-request"]"#, r#"["least-request", "lora-affinity"]"#);
    assert_eq!(default, more.replace(r#"("prefix-cache", 1.0)"#, r#"("prefix-cache", 1.0), ("lora-affinity", 1.0)"#));
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
    let decision = compiled.profile.decide(&Request::default(), &endpoints, vec![load], [], &mut || 0);
    (!decision.picks.is_empty(), compiled.problems)
}

#[test]
fn least_request_filters_by_its_limit_of_waiting_requests() {
    for (arguments, limit) in [("{}", 10), (r#"{"maxWaitingRequests": 3}"#, 3), (r#"{"MAXwaitingRequests": 1}"#, 1)] {
        assert_eq!(picked(arguments, limit - 1), (true, vec![]), "{arguments}");
        assert_eq!(picked(arguments, limit), (false, vec![]), "{arguments}");
    }
}

/// What is said of a scheduler with these arguments of a plugin, and nothing else.
fn refused(plugin: &str, arguments: &str) -> String {
    let json = format!(r#"{{"scheduler": {{"pluginConfig": [{{"name": "{plugin}", "args": {arguments}}}]}}}}"#);
    parse(&json).unwrap().compile().unwrap_err().to_string()
}

#[test]
fn a_whole_number_of_zero_is_the_default_and_one_out_of_range_is_refused_with_the_accepted_ones() {
    assert_eq!(picked(r#"{"maxWaitingRequests": 0}"#, 9), (true, vec![]));
    assert_eq!(picked(r#"{"maxWaitingRequests": 0}"#, 10), (false, vec![]));
    for bad in ["-1", "1.5", "\"ten\"", "null", "true", "4294967296", "[3]"] {
        assert_eq!(
            refused("least-request", &format!(r#"{{"maxWaitingRequests": {bad}}}"#)),
            format!(
                "scheduler.pluginConfig[least-request].args.maxWaitingRequests: {bad} is not a whole number between 1 \
                 and 4294967295, nor 0 for the default of 10"
            )
        );
    }
    let beyond = [
        ("blockSizeToHash", 65_536, 64),
        ("maxBlocksToMatch", 512, 128),
        ("maxHashCacheSize", 1_000_000, 50_000),
        ("topKMatches", u32::MAX, 5),
    ];
    for (name, most, default) in beyond {
        let value = u64::from(most) + 1;
        assert_eq!(
            refused("prefix-cache", &format!(r#"{{"{name}": {value}}}"#)),
            format!(
                "scheduler.pluginConfig[prefix-cache].args.{name}: {value} is not a whole number between 1 and {most}, \
                 nor 0 for the default of {default}"
            )
        );
    }
}

#[test]
fn a_share_out_of_range_is_refused() {
    for bad in ["-0.1", "1.01", "\"0.5\"", "null"] {
        assert_eq!(
            refused("least-latency", &format!(r#"{{"ttfttpotWeightFactor": {bad}}}"#)),
            format!(
                "scheduler.pluginConfig[least-latency].args.ttfttpotWeightFactor: {bad} is not a number between 0 and 1"
            )
        );
    }
}

#[test]
fn an_argument_that_a_plugin_does_not_have_is_refused_with_those_that_it_has() {
    let at = |plugin: &str| format!("scheduler.pluginConfig[{plugin}].args.x: unknown argument");
    for (plugin, names) in [
        ("least-request", "expected maxWaitingRequests"),
        ("least-latency", "expected TTFTTPOTWeightFactor"),
        ("prefix-cache", "expected one of blockSizeToHash, maxBlocksToMatch, maxHashCacheSize, topKMatches"),
        ("gpu-usage", "the plugin has none"),
        ("lora-affinity", "the plugin has none"),
        ("random", "the plugin has none"),
    ] {
        assert_eq!(refused(plugin, r#"{"x": 1}"#), format!("{}, {names}", at(plugin)));
    }
}

/// A scheduler that ranks by these plugins, each with the weight 1.
fn ranking(plugins: &[&str], config: &str) -> Result<Compiled, ConfigError> {
    let entries: Vec<_> = plugins.iter().map(|name| format!(r#"{{"name": "{name}", "weight": 1}}"#)).collect();
    let score = format!(r#"{{"Score": {{"enabled": [{}]}}}}"#, entries.join(","));
    parse(&format!(r#"{{"scheduler": {{"pluginConfig": [{config}], "plugins": {score}}}}}"#)).unwrap().compile()
}

#[test]
fn arguments_of_prefix_cache_reach_the_profile_whatever_the_case_of_their_names() {
    let config = r#"{"name": "prefix-cache", "args": {"BLOCKSIZETOHASH": 256, "maxBlocksToMatch": 512,
        "maxhashcachesize": 7, "topKMatches": 2}}"#;
    let expected = PrefixArguments { blocks: Blocks { size: 256, max: 512 }, cache_size: 7 };
    assert_eq!(ranking(&["least-request", "prefix-cache"], config).unwrap().profile.prefix(), Some(expected));
    assert_eq!(ranking(&["least-request"], config).unwrap().profile.prefix(), None, "nobody asks for hashes");
}

#[test]
fn random_is_left_out_beside_others_and_kvcache_aware_always_each_with_a_word() {
    let compiled = ranking(&["random", "gpu-usage"], "").unwrap();
    assert!(compiled.profile.scores_by("gpu-usage") && !compiled.profile.scores_by("random"));
    assert_eq!(
        compiled.problems,
        ["scheduler.plugins.Score.enabled: `random` counts only where it is alone, and is left out here"]
    );
    assert!(ranking(&["random"], "").unwrap().profile.scores_by("random"));
    let compiled =
        ranking(&["random", "kvcache-aware"], r#"{"name": "kvcache-aware", "args": {"blockSizeToHash": 16}}"#).unwrap();
    assert!(compiled.profile.scores_by("random"));
    assert_eq!(compiled.problems, ["scheduler.plugins.Score.enabled: `kvcache-aware` does not score in this version"]);
}

#[test]
fn a_plugin_that_is_listed_twice_is_refused() {
    assert_eq!(
        ranking(&["gpu-usage", "random", "gpu-usage"], "").unwrap_err().to_string(),
        "scheduler.plugins.Score.enabled: `gpu-usage` is there twice, expected each plugin once"
    );
    assert_eq!(
        filtering(&["lora-affinity", "lora-affinity"]),
        "scheduler.plugins.Filter.enabled: `lora-affinity` is there twice, expected each plugin once"
    );
}

/// What is said of a scheduler with these filters.
fn filtering(plugins: &[&str]) -> String {
    let json = format!(r#"{{"scheduler": {{"plugins": {{"Filter": {{"enabled": {plugins:?}}}}}}}}}"#);
    parse(&json).unwrap().compile().unwrap_err().to_string()
}

#[test]
fn a_plugin_that_does_not_filter_is_refused_as_a_filter() {
    for name in ["random", "gpu-usage", "prefix-cache", "kvcache-aware"] {
        assert_eq!(
            filtering(&["least-request", name]),
            format!(
                "scheduler.plugins.Filter.enabled: `{name}` does not filter, expected one of least-request, \
                 lora-affinity"
            )
        );
    }
}

#[test]
fn profiles_have_names_and_what_is_wrong_with_one_is_said_by_its_name() {
    let profiles =
        |json: &str| parse(&format!(r#"{{"dataPlane": {{"schedulerProfiles": {json}}}}}"#)).unwrap().compile();
    let score =
        |name: &str| format!(r#"{{"plugins": {{"Score": {{"enabled": [{{"name": "{name}", "weight": 1}}]}}}}}}"#);
    let compiled =
        profiles(&format!(r#"{{"spread": {}, "cached": {}}}"#, score("random"), score("prefix-cache"))).unwrap();
    assert_eq!(compiled.profiles.keys().collect::<Vec<_>>(), ["cached", "spread"]);
    assert!(compiled.profiles["spread"].scores_by("random") && compiled.profile.scores_by("least-latency"));
    assert_eq!(
        profiles(&format!(r#"{{"spread": {}}}"#, score("fastest"))).unwrap_err().to_string(),
        "dataPlane.schedulerProfiles.spread.plugins.Score.enabled: unknown plugin `fastest`, expected one of \
         least-request, lora-affinity, gpu-usage, least-latency, prefix-cache, random, kvcache-aware"
    );
    assert_eq!(profiles(r#"{" ": {}}"#).unwrap_err(), ConfigError::NamelessProfile);
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
        "scheduler.plugins.Score.enabled: unknown plugin `fastest`, expected one of least-request, lora-affinity, \
         gpu-usage, least-latency, prefix-cache, random, kvcache-aware"
    );
}

#[test]
fn the_body_limit_has_a_range() {
    for bytes in [0, (256u64 << 20) + 1] {
        let error = parse(&format!(r#"{{"dataPlane": {{"maxRequestBodyBytes": {bytes}}}}}"#)).unwrap().compile();
        assert_eq!(error.unwrap_err(), ConfigError::MaxRequestBodyBytes(bytes));
    }
}

#[test]
fn scorers_that_all_count_nothing_are_a_problem() {
    let json =
        r#"{"scheduler": {"plugins": {"Score": {"enabled": [{"name": "prefix-cache"}, {"name": "gpu-usage"}]}}}}"#;
    let problems = parse(json).unwrap().compile().unwrap().problems;
    assert_eq!(
        problems,
        ["scheduler.plugins.Score.enabled: no plugin has a `weight` above 0, so that all endpoints tie"]
    );
}
