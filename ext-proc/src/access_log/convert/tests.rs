use super::*;
use envoy_types::pb::envoy::config::core::v3::SocketAddress;
use envoy_types::pb::envoy::data::accesslog::v3::{HttpRequestProperties, HttpResponseProperties, ResponseFlags};
use envoy_types::pb::google::protobuf::{Any, UInt32Value};
use kthena_core::access_log::{Bound, Kind, Usage};

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn point(milliseconds: i64) -> Option<protobuf::Duration> {
    let nanos = i32::try_from(milliseconds % 1000 * 1_000_000).unwrap();
    Some(protobuf::Duration { seconds: milliseconds / 1000, nanos })
}

fn any(facts: &[u8]) -> Any {
    Any { value: BytesValue { value: facts.to_vec() }.encode_to_vec(), ..Default::default() }
}

fn served() -> Facts {
    Facts {
        key: 42,
        model_route: Some("default/chat".into()),
        target: Some(("default/small".into(), "org/small".into())),
        forwarded: Some(ms(2)),
        usage: Some(Usage { input: 3, output: 4 }),
        ..Facts::named("m", true)
    }
}

/// A request that the second engine answered, the facts as given.
fn retried(facts: &[u8]) -> HttpAccessLogEntry {
    let socket = SocketAddress {
        address: "10.0.0.2".into(),
        port_specifier: Some(socket_address::PortSpecifier::PortValue(8000)),
        ..Default::default()
    };
    HttpAccessLogEntry {
        common_properties: Some(AccessLogCommon {
            start_time: Some(protobuf::Timestamp { seconds: 7, nanos: 5 }),
            time_to_first_upstream_tx_byte: point(130),
            time_to_first_upstream_rx_byte: point(150),
            time_to_last_downstream_tx_byte: point(1_250),
            duration: point(1_251),
            upstream_remote_address: Some(Address { address: Some(address::Address::SocketAddress(socket)) }),
            upstream_request_attempt_count: 2,
            filter_state_objects: [(wire::FACTS_IN_ENVOY.to_owned(), any(facts))].into(),
            ..Default::default()
        }),
        protocol_version: HttpVersion::Http11.into(),
        request: Some(HttpRequestProperties {
            request_method: RequestMethod::Post.into(),
            path: "/v1/chat/completions?key=secret".into(),
            request_id: "id".into(),
            ..Default::default()
        }),
        response: Some(HttpResponseProperties {
            response_code: Some(UInt32Value { value: 200 }),
            response_code_details: "via_upstream".into(),
            ..Default::default()
        }),
    }
}

fn pods(address: SocketAddr) -> Option<Arc<str>> {
    (address == SocketAddr::from(([10, 0, 0, 2], 8000))).then(|| "default/small-1".into())
}

#[test]
fn an_entry_says_who_served_after_how_many_attempts_and_where_the_time_went() {
    let (entry, readable) = entry(retried(&served().encode()), pods);
    assert!(readable);
    let expected = Entry {
        key: 42,
        start: 7_000_000_005,
        method: "POST".into(),
        path: "/v1/chat/completions".into(),
        protocol: "HTTP/1.1",
        status: 200,
        failure: None,
        model: "m".into(),
        model_known: true,
        model_route: Some("default/chat".into()),
        bound: Some(Bound {
            backend_type: "model_server",
            backend: "default/small".into(),
            upstream_model: "org/small".into(),
        }),
        address: Some(([10, 0, 0, 2], 8000).into()),
        pod: Some("default/small-1".into()),
        request_id: "id".into(),
        trace_id: String::new(),
        upstream_status: Some(200),
        upstream_attempts: 2,
        rationed: false,
        usage: Some(Usage { input: 3, output: 4 }),
        // The first attempt, of which Envoy keeps no times, counts as the engines'.
        phases: Phases { total: ms(1_250), request: ms(2), upstream: ms(148), response: ms(1_100) },
        chunks: None,
    };
    assert_eq!(entry, expected);
}

#[test]
fn an_only_attempt_s_time_is_envoy_s_own() {
    let mut from = retried(&served().encode());
    from.common_properties.as_mut().unwrap().upstream_request_attempt_count = 1;
    let phases = entry(from, pods).0.phases;
    assert_eq!(phases, Phases { total: ms(1_250), request: ms(130), upstream: ms(20), response: ms(1_100) });
}

#[test]
fn what_the_filter_refused_is_told_in_its_words() {
    let facts = Facts::named("x", false).refused(Kind::RouteNotFound, "route not found");
    let mut from = retried(&facts.encode());
    from.response = Some(HttpResponseProperties {
        response_code: Some(UInt32Value { value: 404 }),
        response_code_details: "kthena".into(),
        ..Default::default()
    });
    let common = from.common_properties.as_mut().unwrap();
    (common.upstream_remote_address, common.upstream_request_attempt_count) = (None, 0);
    (common.time_to_first_upstream_tx_byte, common.time_to_first_upstream_rx_byte) = (None, None);
    let entry = entry(from, pods).0;
    let failure = entry.failure.unwrap();
    assert_eq!((failure.kind, failure.message.as_str()), ("route_not_found", "route not found"));
    assert_eq!((entry.pod, entry.upstream_status, entry.upstream_attempts, entry.bound), (None, None, 0, None));
    assert_eq!((entry.key, entry.address), (0, None));
    assert_eq!(entry.phases, Phases { total: ms(1_250), request: ms(1_250), ..Phases::default() });
}

#[test]
fn nothing_need_be_there() {
    let (empty, readable) = entry(HttpAccessLogEntry::default(), pods);
    assert!(readable);
    assert_eq!(empty, Entry { protocol: "HTTP/1.1", ..Entry::default() });
}

#[test]
fn facts_that_cannot_be_read_leave_what_envoy_knows() {
    for facts in [&[][..], &[9, 1, 2], &served().encode()[..5]] {
        let (entry, readable) = entry(retried(facts), pods);
        assert!(!readable);
        assert_eq!((entry.status, entry.pod.as_deref(), entry.model.as_str()), (200, Some("default/small-1"), ""));
    }
}

#[test]
fn times_that_contradict_each_other_still_add_up() {
    let mut from = retried(&served().encode());
    let common = from.common_properties.as_mut().unwrap();
    common.time_to_first_upstream_rx_byte = point(1);
    common.time_to_first_upstream_tx_byte = Some(protobuf::Duration { seconds: -1, nanos: i32::MAX });
    common.upstream_request_attempt_count = 1;
    let Phases { total, request, upstream, response } = entry(from, pods).0.phases;
    assert_eq!(request + upstream + response, total);
}

const ENGINE: &str = "via_upstream";

#[test]
fn flags_and_status_tell_why_a_request_failed() {
    type Case = (fn(&mut ResponseFlags), &'static str, u32, Option<(&'static str, &'static str)>);
    let cases: [Case; 19] = [
        (|_| (), ENGINE, 200, None),
        (|_| (), ENGINE, 404, None),
        (|f| f.upstream_retry_limit_exceeded = true, ENGINE, 500, Some(("proxy", "pod answered 500"))),
        (
            |f| f.downstream_connection_termination = true,
            "via_upstream",
            200,
            Some(("response_forwarding", "the client went away")),
        ),
        (|f| f.downstream_remote_reset = true, "", 0, Some(("response_forwarding", "the client went away"))),
        (|f| f.upstream_connection_failure = true, "x", 503, Some(("proxy", "request to all pods failed (refused)"))),
        (
            |f| f.upstream_connection_termination = true,
            "x",
            503,
            Some(("proxy", "request to all pods failed (refused)")),
        ),
        (
            |f| f.upstream_connection_termination = true,
            "via_upstream",
            200,
            Some(("proxy", "pod broke off its answer")),
        ),
        (|f| f.upstream_remote_reset = true, ENGINE, 200, Some(("proxy", "pod broke off its answer"))),
        (|f| f.upstream_request_timeout = true, "x", 504, Some(("proxy", "request to pod timed out"))),
        (|f| f.stream_idle_timeout = true, ENGINE, 200, Some(("proxy", "pod stopped answering"))),
        (|f| f.stream_idle_timeout = true, "x", 504, Some(("proxy", "request to pod timed out"))),
        (|f| f.stream_idle_timeout = true, "x", 408, Some(("request_parsing", "x"))),
        (|f| f.stream_idle_timeout = true, ENGINE, 408, Some(("proxy", "pod stopped answering"))),
        (|f| f.no_healthy_upstream = true, "x", 503, Some(("scheduling", "no available pods"))),
        (|f| f.no_route_found = true, "x", 404, Some(("route_not_found", "route not found"))),
        (|_| (), "wasm_fail_stream", 503, Some(("proxy", "wasm_fail_stream"))),
        (|_| (), "request_payload_too_large", 413, Some(("request_parsing", "request_payload_too_large"))),
        (|_| (), "direct_response", 200, None),
    ];
    for (set, details, status, expected) in cases {
        let mut from = retried(&served().encode());
        let common = from.common_properties.as_mut().unwrap();
        common.upstream_transport_failure_reason = "refused".into();
        if details != ENGINE {
            common.time_to_first_upstream_rx_byte = None;
        }
        set(common.response_flags.insert(ResponseFlags::default()));
        let response = from.response.as_mut().unwrap();
        response.response_code = (status > 0).then_some(UInt32Value { value: status });
        response.response_code_details = details.into();
        let flags = format!("{:?} {details} {status}", from.common_properties.as_ref().unwrap().response_flags);
        let failure = entry(from, pods).0.failure;
        assert_eq!(failure.as_ref().map(|f| (f.kind, f.message.as_str())), expected, "{flags}");
    }
}

#[test]
fn an_error_that_a_stream_told_is_a_failure_whatever_ended_it() {
    let told = |status, words: &str| Facts { told: Some((status, words.to_owned())), ..served() };
    for (facts, kind, message) in [
        (told(500, "gone"), "proxy", "pod told an error in its answer (500: gone)"),
        (told(503, ""), "proxy", "pod told an error in its answer (503)"),
        (told(400, "bad grammar"), "request_failed", "pod told an error in its answer (400: bad grammar)"),
    ] {
        for gone in [false, true] {
            let mut from = retried(&facts.encode());
            // Clients' own libraries leave as soon as they have read the error.
            let flags = ResponseFlags { downstream_connection_termination: gone, ..Default::default() };
            from.common_properties.as_mut().unwrap().response_flags = Some(flags);
            let failure = entry(from, pods).0.failure.unwrap();
            assert_eq!((failure.kind, failure.message.as_str()), (kind, message), "left early: {gone}");
        }
    }
}

#[test]
fn the_trace_is_named_where_envoy_names_one_and_nothing_else_passes_for_one() {
    for (tag, id) in [(Some("0af7"), "0af7"), (Some(""), ""), (Some("-"), ""), (Some("a b=c"), ""), (None, "")] {
        let mut from = retried(&served().encode());
        let tags = tag.map(|tag| (wire::TRACE_ID.to_owned(), tag.to_owned()));
        from.common_properties.as_mut().unwrap().custom_tags = tags.into_iter().collect();
        assert_eq!(entry(from, pods).0.trace_id, id, "{tag:?}");
    }
}
