use super::*;
use proptest::prelude::*;
use serde_json::{Value, json as value};
use std::time::Duration;

fn entry() -> Entry {
    Entry {
        start: 1_792_683_600_120_000_000,
        method: "POST".into(),
        path: "/v1/chat/completions".into(),
        protocol: "HTTP/1.1",
        key: 7,
        status: 200,
        failure: None,
        model: "deepseek".into(),
        model_known: true,
        model_route: Some("default/deepseek".into()),
        bound: Some(Bound {
            backend_type: "model_server",
            backend: "default/r1".into(),
            upstream_model: "deepseek-ai/R1".into(),
        }),
        pod: Some("default/r1-0".into()),
        address: Some(([10, 0, 0, 2], 8000).into()),
        request_id: "7c1e".into(),
        trace_id: String::new(),
        upstream_status: Some(200),
        upstream_attempts: 2,
        rationed: false,
        usage: Some(Usage { input: 12, output: 34 }),
        phases: Phases {
            total: Duration::from_micros(150_900),
            request: Duration::from_millis(3),
            upstream: Duration::from_millis(40),
            response: Duration::from_micros(107_900),
        },
        chunks: None,
    }
}

fn refused() -> Entry {
    Entry {
        start: 1_792_683_600_000_000_000,
        method: "GET".into(),
        path: "/v1/models/x".into(),
        protocol: "HTTP/2.0",
        status: 404,
        failure: Some(Failure { kind: "route_not_found", message: "route not found".into() }),
        ..Entry::default()
    }
}

#[test]
fn a_line_of_text_is_upstreams() {
    assert_eq!(
        text(&entry()).to_string(),
        "[2026-10-22T15:40:00.12Z] \"POST /v1/chat/completions HTTP/1.1\" 200 model_name=deepseek \
         model_route=default/deepseek model_server=default/r1 selected_pod=r1-0 request_id=7c1e \
         backend_type=model_server backend_name=default/r1 upstream_model=deepseek-ai/R1 upstream_status_code=200 \
         upstream_attempts=2 tokens=12/34 timings=150ms(3+40+107)"
    );
    assert_eq!(
        text(&refused()).to_string(),
        "[2026-10-22T15:40:00Z] \"GET /v1/models/x HTTP/2.0\" 404 error=route_not_found:route not found \
         timings=0ms(0+0+0)"
    );
}

#[test]
fn a_traced_request_names_its_trace_after_its_own_id() {
    let traced = Entry { trace_id: "0af7651916cd43dd8448eb211c80319c".into(), ..entry() };
    let line = text(&traced).to_string();
    assert!(line.contains(" request_id=7c1e trace_id=0af7651916cd43dd8448eb211c80319c backend_type="), "{line}");
    let parsed: Value = serde_json::from_str(&json(&traced)).unwrap();
    assert_eq!(parsed["trace_id"], "0af7651916cd43dd8448eb211c80319c");
}

#[test]
fn a_line_of_json_is_upstreams() {
    let parsed: Value = serde_json::from_str(&json(&entry())).unwrap();
    assert_eq!(
        parsed,
        value!({
            "timestamp": "2026-10-22T15:40:00.12Z", "method": "POST", "path": "/v1/chat/completions",
            "protocol": "HTTP/1.1", "status_code": 200, "model_name": "deepseek",
            "model_route": "default/deepseek", "model_server": "default/r1", "selected_pod": "r1-0",
            "request_id": "7c1e", "backend_type": "model_server", "backend_name": "default/r1",
            "upstream_model": "deepseek-ai/R1", "upstream_status_code": 200, "upstream_attempts": 2,
            "input_tokens": 12, "output_tokens": 34, "duration_total": 150, "duration_request_processing": 3,
            "duration_upstream_processing": 40, "duration_response_processing": 107,
        })
    );
    assert_eq!(
        json(&refused()),
        "{\"timestamp\":\"2026-10-22T15:40:00Z\",\"method\":\"GET\",\"path\":\"/v1/models/x\",\
         \"protocol\":\"HTTP/2.0\",\"status_code\":404,\"error\":{\"type\":\"route_not_found\",\
         \"message\":\"route not found\"},\"model_name\":\"\",\"duration_total\":0,\
         \"duration_request_processing\":0,\"duration_upstream_processing\":0,\"duration_response_processing\":0}"
    );
}

#[test]
fn no_client_writes_a_field_or_a_line_of_its_own() {
    let line = |model: &str| text(&Entry { model: model.into(), ..Entry::default() }).to_string();
    for (model, written) in [
        ("a selected_pod=b", r" model_name=a\x20selected_pod\x3db "),
        ("a\n[2026", r" model_name=a\x0a[2026 "),
        ("a\r\u{0}\u{7f}\u{1b}[1m", r" model_name=a\x0d\x00\x7f\x1b[1m "),
        (r#"a"\"#, r" model_name=a\x22\x5c "),
        ("\u{202e}\u{a0}\u{85}\u{2028}", r" model_name=\u{202e}\u{a0}\u{85}\u{2028} "),
        ("通义千问-7B", " model_name=通义千问-7B "),
        ("org/model:tag@v1", " model_name=org/model:tag@v1 "),
    ] {
        assert!(line(model).contains(written), "{model:?}: {}", line(model));
    }
    let failure = Some(Failure { kind: "proxy", message: "a b tokens=9/9\n\"".into() });
    let line = text(&Entry { failure, ..Entry::default() }).to_string();
    assert!(line.contains(r" error=proxy:a b tokens\x3d9/9\x0a\x22 timings="), "{line}");
}

#[test]
fn gaps_are_counted_by_their_upper_bound_and_sum_up_to_the_span() {
    let ms = Duration::from_millis;
    let mut chunks = Chunks::begin(ms(100));
    for at in [105, 111, 111, 5_000] {
        chunks.next(ms(at));
    }
    let mut gaps = [0; Chunks::BUCKETS];
    (gaps[0], gaps[1], gaps[Chunks::BUCKETS - 1]) = (2, 1, 1);
    assert_eq!(chunks, Chunks { first: ms(100), span: ms(4_900), gaps });
}

#[test]
fn facts_of_another_build_are_told_from_damaged_ones() {
    let bytes = Facts::named("m", true).encode();
    assert_eq!(Facts::decode(&[&[9], &bytes[1..]].concat()), Err(FactsError::Version(9)));
    for cut in 0..bytes.len() {
        assert!(matches!(Facts::decode(&bytes[..cut]), Err(FactsError::Damaged(_))), "cut at {cut}");
    }
}

#[test]
fn facts_do_not_grow_with_what_a_client_sends() {
    let facts = Facts::named(&"é".repeat(1 << 20), false).refused(Kind::RequestParsing, &"x".repeat(1 << 20));
    assert_eq!(facts.model.len(), 1024);
    assert!(facts.encode().len() < 2100);
}

#[test]
fn kinds_have_names_of_their_own() {
    let names: std::collections::BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(names.len(), Kind::ALL.len());
}

fn duration() -> impl Strategy<Value = Duration> {
    any::<u64>().prop_map(Duration::from_micros)
}

fn chunks() -> impl Strategy<Value = Chunks> {
    let gaps = proptest::collection::vec(any::<u32>(), Chunks::BUCKETS);
    (duration(), duration(), gaps).prop_map(|(first, span, gaps)| Chunks {
        first,
        span,
        gaps: gaps.try_into().unwrap(),
    })
}

fn facts() -> impl Strategy<Value = Facts> {
    let usage = (any::<u64>(), any::<u64>()).prop_map(|(input, output)| Usage { input, output });
    let refusal = (proptest::sample::select(&Kind::ALL[..]), ".*");
    let option = proptest::option::of::<proptest::string::RegexGeneratorStrategy<String>>;
    let text = || proptest::string::string_regex(".*").unwrap();
    (
        (any::<u64>(), ".*", any::<bool>(), option(text()), proptest::option::of((".*", ".*"))),
        (
            proptest::option::of(refusal),
            proptest::option::of(duration()),
            any::<bool>(),
            proptest::option::of(usage),
            proptest::option::of(chunks()),
            proptest::option::of((any::<u16>(), ".*")),
        ),
    )
        .prop_map(|((key, model, model_known, model_route, target), rest)| {
            let (refusal, forwarded, rationed, usage, chunks, told) = rest;
            Facts { key, model, model_known, model_route, target, refusal, forwarded, rationed, usage, chunks, told }
        })
}

proptest! {
    #[test]
    fn facts_survive_the_way(facts in facts()) {
        prop_assert_eq!(Facts::decode(&facts.encode()).unwrap(), facts);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Facts::decode(&bytes);
        let _ = Facts::decode(&[&[3], &bytes[..]].concat());
    }

    #[test]
    fn whatever_is_in_it_a_line_is_one_line(model in any::<String>(), message in any::<String>(), path in any::<String>()) {
        let entry = Entry { model, path, failure: Some(Failure { kind: "proxy", message }), ..Entry::default() };
        for line in [text(&entry).to_string(), json(&entry)] {
            prop_assert!(line.chars().all(|c| !c.is_control()), "{}", line);
        }
        prop_assert!(serde_json::from_str::<Value>(&json(&entry)).is_ok());
        prop_assert_eq!(text(&entry).to_string().matches('=').count(), 2 + usize::from(!entry.model.is_empty()));
    }
}
