use super::super::*;
use super::*;

fn server(name: &str, model: Option<&str>, state: ServerState) -> Server {
    Server {
        name: format!("default/{name}"),
        state,
        model: model.map(str::to_owned),
        header_timeout_ms: 0,
        retries: 4,
        backoff: BackoffClass::Ms25,
        fail_close: false,
        prefix: None,
    }
}

fn rule(matches: RuleMatch, targets: &[(u32, u32)]) -> Rule {
    Rule { matches, targets: targets.iter().map(|&(index, weight)| Target::Server { index, weight }).collect() }
}

fn route(name: &str, model: Option<&str>, adapters: &[&str], rules: Vec<Rule>) -> TargetRoute {
    TargetRoute {
        name: format!("default/{name}"),
        model: model.map(str::to_owned),
        adapters: adapters.iter().map(|a| (*a).to_owned()).collect(),
        rules,
    }
}

fn header(name: &str, pattern: Pattern) -> RuleMatch {
    RuleMatch { headers: vec![(name.into(), pattern)], ..RuleMatch::default() }
}

/// Two servers (0: small, 1: large) and the routes given.
fn routes(routes: Vec<TargetRoute>) -> Routes {
    Routes::new(Table {
        servers: vec![
            server("small", Some("org/small"), ServerState::Serving),
            server("large", None, ServerState::Serving),
            server("gone", None, ServerState::Missing),
            server("idle", None, ServerState::Empty),
        ],
        routes,
        ..Table::default()
    })
}

const ALWAYS: RuleMatch = RuleMatch { headers: Vec::new(), uri: None, model: None };

fn ask<'t>(routes: &'t Routes, model: &str, headers: &[(&str, &str)], random: u64) -> Resolution<'t> {
    let find = |name: &str| headers.iter().find(|(n, _)| *n == name).map_or(&b""[..], |(_, v)| v.as_bytes());
    routes.resolve(&Query { model, path: "/v1/chat/completions", header: &find }, random)
}

fn picked(resolution: Resolution<'_>) -> String {
    match resolution {
        Ok(routed) => routed.server.name.clone(),
        Err(refusal) => refusal.to_string(),
    }
}

#[test]
fn the_model_name_is_rewritten_to_the_servers() {
    let routes = routes(vec![route("r", Some("virtual"), &[], vec![rule(ALWAYS, &[(0, 100)])])]);
    let routed = ask(&routes, "virtual", &[], 0).unwrap();
    assert_eq!((routed.server.name.as_str(), routed.rewrite), ("default/small", Some("org/small")));
    assert_eq!(picked(ask(&routes, "other", &[], 0)), "route not found");
}

#[test]
fn a_name_that_is_already_right_is_left_alone() {
    let routes = routes(vec![
        route("r", Some("org/small"), &[], vec![rule(ALWAYS, &[(0, 100)])]),
        route("s", Some("plain"), &[], vec![rule(ALWAYS, &[(1, 100)])]),
    ]);
    assert_eq!(ask(&routes, "org/small", &[], 0).unwrap().rewrite, None);
    assert_eq!(ask(&routes, "plain", &[], 0).unwrap().rewrite, None);
}

#[test]
fn a_lora_adapter_keeps_its_name() {
    let routes = routes(vec![route("lora", None, &["lora-A", "lora-B"], vec![rule(ALWAYS, &[(0, 100)])])]);
    let routed = ask(&routes, "lora-B", &[], 0).unwrap();
    assert_eq!((routed.server.name.as_str(), routed.rewrite), ("default/small", None));
    assert_eq!(picked(ask(&routes, "lora-C", &[], 0)), "route not found");
}

#[test]
fn adapters_are_no_fallback_when_a_base_route_exists() {
    let never = header("x", Pattern::Exact("y".into()));
    let routes = routes(vec![
        route("base", Some("name"), &[], vec![rule(never, &[(0, 1)])]),
        route("lora", None, &["name"], vec![rule(ALWAYS, &[(1, 1)])]),
    ]);
    assert_eq!(picked(ask(&routes, "name", &[], 0)), "route not found");
}

#[test]
fn rules_are_tried_in_order_by_header() {
    let premium = header("user-type", Pattern::Exact("premium".into()));
    let routes = routes(vec![route("r", Some("m"), &[], vec![rule(premium, &[(1, 100)]), rule(ALWAYS, &[(0, 100)])])]);
    assert_eq!(picked(ask(&routes, "m", &[("user-type", "premium")], 0)), "default/large");
    assert_eq!(picked(ask(&routes, "m", &[("user-type", "basic")], 0)), "default/small");
    assert_eq!(picked(ask(&routes, "m", &[("user-type", "")], 0)), "default/small");
    assert_eq!(picked(ask(&routes, "m", &[], 0)), "default/small");
}

#[test]
fn every_condition_of_a_rule_must_hold() {
    let both = RuleMatch {
        headers: vec![("a".into(), Pattern::Prefix("1".into())), ("b".into(), Pattern::Regex(Regex::new("2")))],
        uri: Some(Pattern::Regex(Regex::new("chat"))),
        model: Some("m".into()),
    };
    let routes = routes(vec![route("r", Some("m"), &[], vec![rule(both, &[(0, 1)])])]);
    assert_eq!(picked(ask(&routes, "m", &[("a", "12"), ("b", "x2x")], 0)), "default/small");
    assert_eq!(picked(ask(&routes, "m", &[("a", "12")], 0)), "route not found");
}

#[test]
fn a_missing_header_equals_an_empty_one() {
    let any = header("absent", Pattern::Regex(Regex::new(".*")));
    let routes = routes(vec![route("r", Some("m"), &[], vec![rule(any, &[(0, 1)])])]);
    assert_eq!(picked(ask(&routes, "m", &[], 0)), "default/small");
}

#[test]
fn the_oldest_route_wins_and_the_next_takes_over() {
    let older = route("older", Some("m"), &[], vec![rule(ALWAYS, &[(0, 1)])]);
    let newer = route("newer", Some("m"), &[], vec![rule(ALWAYS, &[(1, 1)])]);
    assert_eq!(picked(ask(&routes(vec![older, newer.clone()]), "m", &[], 0)), "default/small");
    assert_eq!(picked(ask(&routes(vec![newer]), "m", &[], 0)), "default/large");
}

#[test]
fn a_rule_that_weighs_nothing_passes_on_to_the_next_route_not_the_next_rule() {
    let zero = route("zero", Some("m"), &[], vec![rule(ALWAYS, &[(0, 0)]), rule(ALWAYS, &[(0, 1)])]);
    let next = route("next", Some("m"), &[], vec![rule(ALWAYS, &[(1, 1)])]);
    assert_eq!(picked(ask(&routes(vec![zero.clone(), next]), "m", &[], 0)), "default/large");
    assert_eq!(picked(ask(&routes(vec![zero]), "m", &[], 0)), "route not found");
}

#[test]
fn weights_split_exactly() {
    let routes = routes(vec![route("r", Some("m"), &[], vec![rule(ALWAYS, &[(0, 70), (1, 0), (1, 30)])])]);
    let small = (0..1000).filter(|random| picked(ask(&routes, "m", &[], *random)) == "default/small").count();
    assert_eq!(small, 700);
}

#[test]
fn missing_and_empty_targets_say_so() {
    let routes = routes(vec![
        route("a", Some("gone"), &[], vec![rule(ALWAYS, &[(2, 1)])]),
        route("b", Some("idle"), &[], vec![rule(ALWAYS, &[(3, 1)])]),
        route(
            "c",
            Some("outside"),
            &[],
            vec![Rule { matches: ALWAYS, targets: vec![Target::Provider { name: "default/p".into(), weight: 100 }] }],
        ),
    ]);
    assert_eq!(picked(ask(&routes, "gone", &[], 0)), "can't find model server: default/gone");
    assert_eq!(picked(ask(&routes, "idle", &[], 0)), "no available pods for model server: default/idle");
    assert_eq!(picked(ask(&routes, "outside", &[], 0)), "external provider default/p is not ready");
}

#[test]
fn models_are_listed_sorted_and_once() {
    let routes = routes(vec![
        route("b", Some("zeta"), &["alpha"], vec![]),
        route("a", Some("alpha"), &["lora"], vec![]),
        route("c", Some("zeta"), &[], vec![]),
    ]);
    assert_eq!(routes.models(), ["alpha", "lora", "zeta"]);
    assert!(routes.has_model("lora") && !routes.has_model("lor"));
}
