use super::*;
use crate::access_log::{Chunks, Facts, Kind, Usage};
use crate::prefix::{self, Blocks, Chain};
use crate::routing::{BackoffClass, Budgets, Routes, Rule, RuleMatch, Server, ServerState, Table, Target, TargetRoute};
use crate::wire;
use serde_json::{Value, json};
use std::time::Duration;

mod answers;
mod forms;

const NOW: Duration = Duration::from_millis(7);
const KEY: u64 = 0xc0ffee;

fn routes(limit: u64) -> Routes {
    routes_to(limit, false)
}

fn routes_to(limit: u64, fail_close: bool) -> Routes {
    let server = Server {
        name: "default/small".into(),
        state: ServerState::Serving,
        model: Some("org/small".into()),
        header_timeout_ms: 10_000,
        retries: 2,
        backoff: BackoffClass::Ms500,
        fail_close,
        prefix: Some(Blocks::default()),
    };
    let route = TargetRoute {
        name: "default/chat".into(),
        model: Some("virtual".into()),
        adapters: vec![],
        rules: vec![Rule { matches: RuleMatch::default(), targets: vec![Target::Server { index: 0, weight: 1 }] }],
    };
    let (servers, routes) = (vec![server], vec![route]);
    Routes::new(Table { version: 1, max_request_body_bytes: limit, servers, routes, ..Table::default() })
}

fn head(method: &str, path: &str, headers: &[(&str, &str)]) -> Head {
    let pseudo = [(":method", method), (":path", path)];
    let all = pseudo.iter().chain(headers).map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
    Head { headers: all.collect(), has_body: method == "POST" }
}

/// A whole request: `Ok` is what the engine would get.
fn send(path: &str, body: &[u8], chunk: usize) -> Result<(Forward, Vec<u8>), (u16, Value)> {
    let routes = routes(1 << 20);
    let refuse = |local: Local| (local.reply.status, serde_json::from_slice(&local.reply.body).unwrap());
    let mut session = match head("POST", path, &[("accept-encoding", "gzip")]).open(&routes, 0) {
        Opening::Body(session) => session,
        Opening::Reply(local) => return Err(refuse(local)),
        other => panic!("{other:?}"),
    };
    for piece in body.chunks(chunk) {
        session.feed(piece).map_err(refuse)?;
    }
    let forward = session.finish(&routes, KEY, NOW, |range| body.get(range).map(<[u8]>::to_vec)).map_err(refuse)?;
    let (prefix, rest) = body.split_at(forward.rewrite.prefix_len());
    let sent = [&forward.rewrite.apply(prefix), rest].concat();
    Ok((forward, sent))
}

#[test]
fn a_client_s_own_headers_have_bounds_and_what_envoy_adds_is_not_counted() {
    let envoys = ["x-forwarded-for", "x-forwarded-proto", "x-request-id", "x-envoy-internal"].map(str::to_owned);
    let status = |own: usize, value: usize| {
        let names: Vec<String> = envoys.iter().cloned().chain((0..own).map(|at| format!("x-{at:03}"))).collect();
        let filler = "v".repeat(value);
        let values = |at: usize| if at == envoys.len() { filler.as_str() } else { "" };
        let headers: Vec<_> = names.iter().enumerate().map(|(at, name)| (name.as_str(), values(at))).collect();
        match head("POST", "/v1/messages", &headers).open(&routes(10), 0) {
            Opening::Body(_) => 200,
            Opening::Reply(local) => {
                let error: Value = serde_json::from_slice(&local.reply.body).unwrap();
                let wanted = "request headers are too large or too many (at most 100 headers and 61440 bytes)";
                assert_eq!(message(&error), wanted);
                local.reply.status
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((status(100, 0), status(101, 0)), (200, 431));
    let others: usize =
        envoys.iter().map(String::len).sum::<usize>() + ":method:pathPOST/v1/messages".len() + "x-000".len();
    let room = MAX_HEADER_BYTES - others;
    assert_eq!((status(1, room), status(1, room + 1)), (200, 431));
    // Only the first of each name may be Envoy's.
    let many = [("x-forwarded-for", "x"); 102];
    let opening = head("POST", "/v1/messages", &many).open(&routes(10), 0);
    assert!(matches!(opening, Opening::Reply(ref local) if local.reply.status == 431), "{opening:?}");
}

#[test]
fn answers_to_anthropic_s_clients_alone_get_their_name_twice() {
    let named = |path, id: &[(&str, &str)]| head("POST", path, id).answer_id().map(<[u8]>::to_vec);
    let id = [(wire::REQUEST_ID, "mine-7")];
    assert_eq!(named("/v1/messages", &id).as_deref(), Some(&b"mine-7"[..]));
    assert_eq!(named("/v1/messages/count_tokens?x", &id).as_deref(), Some(&b"mine-7"[..]));
    assert_eq!((named("/v1/chat/completions", &id), named("/v1/messages", &[])), (None, None));
}

fn message(error: &Value) -> &str {
    error["error"]["message"].as_str().unwrap()
}

#[test]
fn a_chat_request_is_rewritten_and_addressed() {
    let body = br#"{"model": "virtual", "messages": [{"role": "user", "content": "hi"}]}"#;
    for chunk in [1, 7, body.len()] {
        let (forward, sent) = send("/v1/chat/completions?x=y", body, chunk).unwrap();
        assert_eq!(sent, br#"{"model": "org/small", "messages": [{"role": "user", "content": "hi"}]}"#);
        let set = |name: &str| set(&forward, name);
        assert_eq!(set(wire::TARGET), Some("default/small"));
        assert_eq!(set(wire::ROUTE), Some("default/chat"));
        assert_eq!(set(wire::MODEL), Some("virtual"));
        assert_eq!(set(wire::UPSTREAM_MODEL), Some("org/small"));
        assert_eq!(set(wire::BACKOFF), Some("500ms"));
        assert_eq!(set(wire::envoy::MAX_RETRIES), Some("2"));
        assert_eq!(set(wire::envoy::PER_TRY_TIMEOUT), Some("10000"));
        assert_eq!(set("accept-encoding"), Some("identity"));
    }
}

fn set<'f>(forward: &'f Forward, name: &str) -> Option<&'f str> {
    forward.set.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str())
}

/// The chain of a canonical prompt under the name that the engine is asked for.
fn chain(model: &str, prompt: &str) -> String {
    let mut chain = Chain::new(Blocks::default(), model);
    chain.feed(prompt.as_bytes());
    prefix::encode(&chain.finish())
}

#[test]
fn the_picker_is_told_the_prompt_s_chain_its_tokens_and_the_request_s_key() {
    let body = r#"{"model":"virtual","messages":[{"role":"user","content":"caf\u00e9"},{"content":[{"text":"x"}],"role":"a"}]}"#;
    let prompt = "<|im_start|>user\ncafé<|im_end|>\n<|im_start|>a\nx<|im_end|>\n";
    for size in [1, 7, body.len()] {
        let (forward, _) = send("/v1/chat/completions", body.as_bytes(), size).unwrap();
        assert_eq!(set(&forward, wire::PREFIX_CHAIN), Some(&*chain("org/small", prompt)));
        assert_eq!(set(&forward, wire::TOKENS), Some(&*prompt.chars().count().div_ceil(4).to_string()));
        assert_eq!(set(&forward, wire::KEY), Some("0000000000c0ffee"));
        assert_eq!(forward.answer.facts().key, KEY);
    }
}

/// Upstream hashes under the client's name, which engines and other routes to them do not know.
#[test]
fn the_chain_is_keyed_by_the_engine_s_model_name_not_the_client_s() {
    let (forward, _) = send("/v1/completions", br#"{"model":"virtual","prompt":"x"}"#, 64).unwrap();
    assert_eq!(set(&forward, wire::PREFIX_CHAIN), Some(&*chain("org/small", "x")));
    assert_ne!(chain("org/small", "x"), chain("virtual", "x"));
}

#[test]
fn without_text_in_the_prompt_there_is_no_chain() {
    for (body, tokens) in [
        (r#"{"model":"virtual","prompt":[1,2,3]}"#, "0"),
        (r#"{"model":"virtual","prompt":""}"#, "0"),
        (r#"{"model":"virtual","messages":[]}"#, "0"),
    ] {
        let (forward, _) = send("/v1/completions", body.as_bytes(), 64).unwrap();
        assert_eq!((set(&forward, wire::PREFIX_CHAIN), set(&forward, wire::TOKENS)), (None, Some(tokens)), "{body}");
    }
    let opening = head("GET", "/v1/anything", &[(wire::MODEL, "virtual")]).open(&routes(10), KEY);
    let Opening::Forward(forward) = opening else { panic!("{opening:?}") };
    assert_eq!((set(&forward, wire::PREFIX_CHAIN), set(&forward, wire::TOKENS)), (None, None));
    assert_eq!(set(&forward, wire::KEY), Some("0000000000c0ffee"));
}

#[test]
fn a_prompt_is_hashed_only_for_a_model_server_that_asks_for_it_and_read_only_then() {
    let routes = routes(1 << 20);
    let mut table = routes.table().clone();
    table.servers[0].prefix = None;
    let body = br#"{"model":"virtual","prompt":"hello there"}"#;
    for (routes, asked) in [(routes, true), (Routes::new(table), false)] {
        let Opening::Body(mut session) = head("POST", "/v1/completions", &[]).open(&routes, 0) else { panic!() };
        session.feed(body).unwrap();
        let mut read = false;
        let forward = session.finish(&routes, 0, NOW, |range| {
            read = true;
            body.get(range).map(<[u8]>::to_vec)
        });
        let forward = forward.unwrap();
        assert_eq!((set(&forward, wire::PREFIX_CHAIN).is_some(), read), (asked, asked));
        assert_eq!(set(&forward, wire::TOKENS), Some("3"));
    }
}

#[test]
fn a_body_that_cannot_be_read_again_goes_without_its_chain() {
    let routes = routes(1 << 20);
    let Opening::Body(mut session) = head("POST", "/v1/completions", &[]).open(&routes, 0) else { panic!() };
    session.feed(br#"{"model":"virtual","prompt":"x"}"#).unwrap();
    let forward = session.finish(&routes, 0, NOW, |_| None).unwrap();
    assert_eq!((set(&forward, wire::PREFIX_CHAIN), set(&forward, wire::TARGET)), (None, Some("default/small")));
}

#[test]
fn only_where_the_picker_may_fail_open_are_the_model_server_s_endpoints_named() {
    for (fail_close, subset) in [(false, Some("default/small")), (true, None)] {
        let routes = routes_to(1 << 20, fail_close);
        let Opening::Body(mut session) = head("POST", "/v1/completions", &[]).open(&routes, 0) else { panic!() };
        session.feed(br#"{"model":"virtual","prompt":"x"}"#).unwrap();
        let forward = session.finish(&routes, 0, NOW, |_| None).unwrap();
        assert_eq!((set(&forward, wire::TARGET), set(&forward, wire::SUBSET)), (Some("default/small"), subset));
    }
}

#[test]
fn a_stream_is_asked_for_its_usage_only_where_the_protocol_has_the_option() {
    let body = br#"{"model":"virtual","stream":true,"messages":[],"input":"x"}"#;
    let (_, sent) = send("/v1/chat/completions", body, 9).unwrap();
    let sent: Value = serde_json::from_slice(&sent).unwrap();
    assert_eq!(sent["stream_options"], json!({"include_usage": true}));
    let (_, sent) = send("/v1/responses", body, 9).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&sent).unwrap().get("stream_options"), None);
}

#[test]
fn hostile_bodies_are_refused_with_upstreams_texts() {
    for (body, status, text) in [
        ("", 400, "invalid request body: "),
        ("[]", 400, "invalid request body: "),
        ("{} {}", 400, "invalid request body"),
        (r#"{"model":"virtual""#, 400, "invalid request body: "),
        ("\u{0}\u{0}", 400, "invalid request body: "),
        ("{}", 404, "model not found"),
        (r#"{"model":7,"messages":[]}"#, 404, "model not found"),
        (r#"{"model":"  ","messages":[]}"#, 404, "model not found"),
        (r#"{"model":"virtual"}"#, 404, "prompt not found"),
        (r#"{"model":"virtual","messages":"no list","prompt":null}"#, 404, "prompt not found"),
        (r#"{"model":"virtual","messages":[],"prompt":null}"#, 200, ""),
        (r#"{"model":"other","messages":[]}"#, 404, "route not found"),
    ] {
        match send("/v1/chat/completions", body.as_bytes(), 3) {
            Ok(_) => assert_eq!(status, 200, "{body}"),
            Err((got, error)) => {
                assert_eq!(got, status, "{body}");
                assert!(message(&error).starts_with(text), "{body}: {error}");
            }
        }
    }
}

#[test]
fn nesting_beyond_the_bound_is_refused_and_within_it_passes() {
    let nested =
        |depth: usize| format!(r#"{{"model":"virtual","messages":[],"x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    assert!(send("/v1/chat/completions", nested(100).as_bytes(), 11).is_ok());
    assert_eq!(send("/v1/chat/completions", nested(100_000).as_bytes(), 4096).unwrap_err().0, 400);
}

#[test]
fn a_percent_encoded_path_is_no_other_path() {
    let body = br#"{"model":"virtual","stream":true,"messages":[]}"#;
    for path in ["/v1/chat%2Fcompletions", "/v1/%63hat/completions?a=%2F"] {
        let (forward, _) = send(path, body, 64).unwrap();
        assert!(forward.rewrite.adds_usage(), "{path}");
    }
    assert_eq!(send("/v1/chat%2Fcompletions", br#"{"model":"virtual"}"#, 64).unwrap_err().0, 404);
}

#[test]
fn any_other_json_with_a_model_goes_through() {
    assert!(send("/v1/rerank", br#"{"model":"virtual","query":"q","documents":[]}"#, 64).is_ok());
}

#[test]
fn a_body_over_the_limit_is_refused_announced_or_not() {
    let routes = routes(10);
    let announced = head("POST", "/v1/messages", &[("content-length", "11")]).open(&routes, 0);
    let Opening::Reply(local) = announced else { panic!("{announced:?}") };
    assert_eq!(local.reply.status, 413);
    let error: Value = serde_json::from_slice(&local.reply.body).unwrap();
    assert_eq!(error["error"]["type"], "request_too_large");

    let Opening::Body(mut session) = head("POST", "/v1/completions", &[]).open(&routes, 0) else { panic!("a body") };
    session.feed(b"{\"model\": ").unwrap();
    assert_eq!(session.feed(b"\"").unwrap_err().reply.status, 413);
}

#[test]
fn without_a_body_the_header_names_the_model() {
    let routes = routes(10);
    let opening = head("GET", "/v1/anything", &[(wire::MODEL, "virtual")]).open(&routes, 0);
    let Opening::Forward(forward) = opening else { panic!("{opening:?}") };
    assert_eq!(forward.set[0], (wire::TARGET, "default/small".to_owned()));
    for headers in [&[][..], &[(wire::MODEL, " ")], &[(wire::MODEL, "other")]] {
        let opening = head("GET", "/v1/anything", headers).open(&routes, 0);
        let Opening::Reply(local) = opening else { panic!("{opening:?}") };
        assert_eq!(local.reply.status, 404);
    }
}

#[test]
fn models_are_answered_from_the_table() {
    let routes = routes(10);
    let get = |path: &str| match head("GET", path, &[]).open(&routes, 0) {
        Opening::Reply(local) => (local.reply.status, serde_json::from_slice::<Value>(&local.reply.body).unwrap()),
        other => panic!("{other:?}"),
    };
    let model = json!({"id": "virtual", "object": "model", "created": 0, "owned_by": "kthena"});
    assert_eq!(get("/v1/models"), (200, json!({"object": "list", "data": [model.clone()]})));
    assert_eq!(get("/v1/models/virt%75al?x"), (200, model));
    assert_eq!(get("/v1/models/no%2Fsuch").0, 404);
    assert_eq!(message(&get("/v1/models/no%2Fsuch").1), "The model `no/such` does not exist");
    assert_eq!(get("/v2/models").0, 404);
}

#[test]
fn health_is_left_to_envoys_routes() {
    for path in ["/healthz", "/readyz?verbose"] {
        assert!(matches!(head("GET", path, &[]).open(&routes(10), 0), Opening::Pass), "{path}");
    }
}

#[test]
fn what_clients_may_not_send_is_listed_for_removal() {
    let head = head("GET", "/", &[(wire::TARGET, "x"), ("accept", "y"), (wire::DESTINATION, "1.2.3.4:1")]);
    assert_eq!(head.dropped(&routes(10)).collect::<Vec<_>>(), [wire::TARGET, wire::DESTINATION]);
}

#[test]
fn credentials_for_proxies_go_no_further_and_others_only_where_the_table_says_so() {
    let names = ["authorization", "proxy-authorization", "x-api-key", "api-key", "cookie", "x-apikey", "accept"];
    let head = head("POST", "/v1/messages", &names.map(|name| (name, "secret")));
    let mut table = routes(10).table().clone();
    assert_eq!(head.dropped(&Routes::new(table.clone())).collect::<Vec<_>>(), ["proxy-authorization"]);
    table.drop_credentials = true;
    assert_eq!(head.dropped(&Routes::new(table)).collect::<Vec<_>>(), names[..5]);
}

#[test]
fn a_rule_may_look_at_a_credential_that_engines_do_not_get() {
    let mut table = routes(10).table().clone();
    table.drop_credentials = true;
    table.routes[0].rules[0].matches.headers =
        vec![("authorization".into(), crate::routing::Pattern::Prefix("Bearer team-a".into()))];
    for (key, routed) in [("Bearer team-a-1", true), ("Bearer team-b", false)] {
        let head = head("GET", "/v1/anything", &[(wire::MODEL, "virtual"), ("authorization", key)]);
        let opening = head.open(&Routes::new(table.clone()), KEY);
        assert_eq!(matches!(opening, Opening::Forward(_)), routed, "{opening:?}");
    }
}

#[test]
fn a_name_that_no_header_can_carry_is_percent_encoded_there() {
    let routes = routes(1 << 20);
    let name = "virtual\r\nx-evil: 1\u{e9}";
    let table = Table {
        routes: vec![TargetRoute { model: Some(name.into()), ..routes.table().routes[0].clone() }],
        ..routes.table().clone()
    };
    let routes = Routes::new(table);
    let Opening::Body(mut session) = head("POST", "/v1/completions", &[]).open(&routes, 0) else { panic!("a body") };
    session.feed(json!({"model": name, "prompt": "x"}).to_string().as_bytes()).unwrap();
    let forward = session.finish(&routes, 0, NOW, |_| None).unwrap();
    assert!(forward.set.contains(&(wire::MODEL, "virtual%0D%0Ax-evil: 1%C3%A9".to_owned())));
}

#[test]
fn only_inference_paths_are_logged() {
    for (path, logged) in [
        ("/v1/models?x", true),
        ("/v1%2Fchat", true),
        ("/%76%31/chat", true),
        ("/v1", false),
        ("/healthz", false),
        ("", false),
    ] {
        assert_eq!(is_inference(path), logged, "{path}");
    }
}

#[test]
fn where_the_budget_is_spent_only_what_no_engine_saw_is_retried() {
    let mut budgets = Budgets::default();
    let (mut forward, _) = send("/v1/completions", br#"{"model":"virtual","prompt":"x"}"#, 64).unwrap();
    let all = set(&forward, wire::envoy::RETRY_ON).map(str::to_owned);
    forward.ration(&mut budgets, NOW);
    assert_eq!((set(&forward, wire::envoy::RETRY_ON), set(&forward, wire::RETRIES)), (all.as_deref(), None));
    budgets.in_vain("default/small", 100, NOW);
    forward.ration(&mut budgets, NOW);
    let retry_on = "connect-failure,refused-stream,reset-before-request";
    assert_eq!(
        (set(&forward, wire::envoy::RETRY_ON), set(&forward, wire::RETRIES)),
        (Some(retry_on), Some("rationed"))
    );
    assert!(forward.answer.facts().rationed && forward.patience(NOW).is_none());
}

#[test]
fn a_body_of_known_length_is_scanned_in_strides_and_one_of_unknown_length_at_once() {
    let wants = |headers: &[(&str, &str)], sizes: &[usize]| -> Vec<bool> {
        let opening = head("POST", "/v1/completions", headers).open(&routes(1 << 20), 0);
        let Opening::Body(session) = opening else { panic!("{opening:?}") };
        sizes.iter().map(|size| session.wants(*size)).collect()
    };
    assert_eq!(
        wants(&[("content-length", "200000")], &[1, 65_535, 65_536, 199_999, 200_000]),
        [false, false, true, true, true]
    );
    assert_eq!(wants(&[("content-length", "10")], &[9, 10]), [false, true]);
    assert_eq!(wants(&[], &[1]), [true]);
}
