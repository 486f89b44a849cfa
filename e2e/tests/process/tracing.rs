//! A trace of each request, from the client's through Envoy and the picker to the engine, at a collector of the test's.

use kthena_e2e::{
    Authority, Client, Collector, Engine, Kthena, Loopback, Point, Setup, Span, chat, manifests, streamed, until,
};
use kthena_simulator::{Fault, Manners, Options};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Duration;

const CHAT: &str = "/v1/chat/completions";
const CLIENTS_SPAN: &str = "b7ad6b7169203331";

/// Everything that makes a trace: one model that an engine serves, and one whose Pod is not there.
struct Traced {
    kthena: Kthena,
    collector: Collector,
    engine: Engine,
    /// Where a Pod should be.
    _nobody: Loopback,
}

fn engine(name: &str, model: &str, faults: &[&str]) -> Engine {
    let faults = faults.iter().map(|fault| fault.parse::<Fault>().expect("a fault")).collect();
    let ms = Duration::from_millis(1);
    let manners = Manners { faults, ..Manners::default() };
    Engine::simulated(name, Options { models: vec![model.into()], ttft: ms, tpot: ms, manners, ..Options::default() })
}

/// Exports come quickly.
fn quick(setup: Setup, collector: &Collector) -> Setup {
    let setup = setup.flags(&["--otlp-endpoint", &collector.url()]);
    setup.env("OTEL_BSP_SCHEDULE_DELAY", "100").env("OTEL_METRIC_EXPORT_INTERVAL", "100")
}

fn one_model(engine: &Engine) -> String {
    manifests::route("m", "m", &[("m", 100)])
        + &manifests::server("m", "served", "")
        + &manifests::pod("alive", "m", &engine.ip())
}

static TRACED: LazyLock<Traced> = LazyLock::new(|| {
    let collector = Collector::start();
    let engine = engine("alive", "served", &[]);
    let nobody = Loopback::claim(&[8000]);
    let manifests = one_model(&engine)
        + &manifests::route("lost", "lost", &[("lost", 100)])
        + &manifests::server("lost", "lost", "")
        + &manifests::pod("nowhere", "lost", &nobody.ip().to_string());
    let kthena = quick(Setup::new(&[("all.yaml", &manifests)]), &collector).up();
    Traced { kthena, collector, engine, _nobody: nobody }
});

/// A trace of the test's own, and its `traceparent`.
fn begun(trace: u128, flags: &str) -> (String, String) {
    let trace = format!("{trace:032x}");
    let parent = format!("00-{trace}-{CLIENTS_SPAN}-{flags}");
    (trace, parent)
}

async fn ask(client: &Client, parent: &str, body: &Value) -> kthena_e2e::Answer {
    client.post(CHAT, &[("traceparent", parent)], body.to_string()).await
}

/// The `traceparent` of every request that an engine got of a trace.
async fn engine_s(engine: &Engine, trace: &str) -> Vec<String> {
    let requests = engine.client().get("/simulator/requests").await.ok().json();
    let headers = requests.as_array().expect("a list").iter().filter_map(|request| request["headers"].as_array());
    let parents = headers.flatten().filter(|header| header[0] == "traceparent").filter_map(|header| header[1].as_str());
    parents.filter(|parent| parent.contains(trace)).map(str::to_owned).collect()
}

fn named<'a>(spans: &'a [Span], service: &str, name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.service == service && span.name == name).collect()
}

/// The request's own span, which is the last to come of Envoy's.
fn server(spans: &[Span]) -> Option<&Span> {
    spans.iter().find(|span| span.service == "kthena" && span.kind == "server")
}

/// Envoy's, the picker's, and one for each try.
fn whole(tries: usize) -> impl Fn(&[Span]) -> bool {
    move |spans| {
        server(spans).is_some()
            && named(spans, "kthena-router", "kthena.pick").len() == 1
            && named(spans, "kthena", "POST").len() == tries
    }
}

#[tokio::test]
async fn one_trace_leads_from_the_client_through_envoy_and_the_picker_to_the_engine() {
    for (n, body, stream) in [(1, chat("m"), ""), (2, streamed("m", 7), "true")] {
        let (trace, parent) = begun(0xA000 + n, "01");
        ask(&TRACED.kthena.client(), &parent, &body).await.ok();
        let spans = TRACED.collector.trace(&trace, "a whole trace", whole(1)).await;
        let server = server(&spans).expect("it is there");
        assert_eq!((server.name.as_str(), server.parent.as_str()), ("chat m", CLIENTS_SPAN), "{spans:#?}");
        let pick = named(&spans, "kthena-router", "kthena.pick")[0];
        let question = spans.iter().find(|span| span.id == pick.parent).expect("Envoy's question");
        assert_eq!(question.parent, server.id, "{spans:#?}");
        let attempt = named(&spans, "kthena", "POST")[0];
        assert_eq!((attempt.kind.as_str(), attempt.parent.as_str()), ("client", server.id.as_str()));
        let got = engine_s(&TRACED.engine, &trace).await;
        assert_eq!(got, [format!("00-{trace}-{}-01", attempt.id)], "the engine is the try's child");

        let at = TRACED.engine.address().to_string();
        let tokens = if stream.is_empty() { "4" } else { "7" };
        for (name, value) in [
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.provider.name", "kthena"),
            ("gen_ai.request.model", "m"),
            ("gen_ai.response.model", "served"),
            ("gen_ai.request.stream", stream),
            ("gen_ai.usage.output_tokens", tokens),
            ("error.type", ""),
            ("http.request.method", "POST"),
            ("http.response.status_code", "200"),
            ("url.path", CHAT),
            ("server.port", "8080"),
            ("kthena.model_route", "default/m"),
            ("kthena.model_server", "default/m"),
            ("kthena.endpoint", &at),
        ] {
            assert_eq!(server.value(name), value, "{name} in {server:#?}");
        }
        assert!(server.value("gen_ai.usage.input_tokens").parse::<u64>().is_ok_and(|tokens| tokens > 0));
        assert_eq!(server.value("gen_ai.response.time_to_first_chunk").is_empty(), stream.is_empty());
        for (name, value) in [
            ("kthena.model_server", "default/m"),
            ("kthena.upstream_model", "served"),
            ("kthena.pick.endpoint", &at),
            ("kthena.pick.candidates", "1"),
            ("kthena.pick.dropped", "0"),
            ("kthena.pick.saturated", "false"),
            ("kthena.pick.profile", "default"),
        ] {
            assert_eq!(pick.value(name), value, "{name} in {pick:#?}");
        }
    }
}

#[tokio::test]
async fn tokens_are_told_once_a_trace() {
    let (trace, parent) = begun(0xA100, "01");
    ask(&TRACED.kthena.client(), &parent, &streamed("m", 5)).await.ok();
    let spans = TRACED.collector.trace(&trace, "a whole trace", whole(1)).await;
    let told: Vec<_> = spans.iter().filter(|span| !span.value("gen_ai.usage.output_tokens").is_empty()).collect();
    assert_eq!(told.len(), 1, "{told:#?}");
}

#[tokio::test]
async fn each_try_has_a_span_and_its_engine_is_that_span_s_child() {
    let collector = Collector::start();
    let [bad, good] = [&["status:status=503"][..], &[]].map(|faults| engine("m", "served", faults));
    let manifests = manifests::route("m", "m", &[("m", 100)])
        + &manifests::server("m", "served", "")
        + &manifests::pod("bad", "m", &bad.ip())
        + &manifests::pod("good", "m", &good.ip());
    let kthena = quick(Setup::new(&[("all.yaml", &manifests)]).by_load(), &collector).up();
    let mut retried = 0;
    // Endpoints of one load are drawn.
    for n in 0.. {
        let (trace, parent) = begun(0xB000 + n, "01");
        ask(&kthena.client(), &parent, &chat("m")).await.ok();
        if engine_s(&bad, &trace).await.is_empty() {
            assert!(n < 100, "the engine that fails is never drawn");
            continue;
        }
        let spans = collector.trace(&trace, "both tries", whole(2)).await;
        let tries: Vec<_> = named(&spans, "kthena", "POST");
        let own = server(&spans).expect("it is there");
        for (engine, status) in [(&bad, "503"), (&good, "200")] {
            let [got] = &engine_s(engine, &trace).await[..] else { panic!("each is tried once") };
            let attempt = tries.iter().find(|span| got.contains(&span.id)).expect("the try's span");
            assert_eq!((attempt.value("http.status_code"), &attempt.parent), (status, &own.id), "{spans:#?}");
        }
        assert_eq!((own.value("http.response.status_code"), own.value("error.type")), ("200", ""));
        retried += 1;
        if retried == 2 {
            break;
        }
    }
}

#[tokio::test]
async fn a_trace_that_is_not_sampled_leaves_no_span_and_goes_on_to_the_engine() {
    let (unsampled, parent) = begun(0xC000, "00");
    ask(&TRACED.kthena.client(), &parent, &chat("m")).await.ok();
    let [got] = &engine_s(&TRACED.engine, &unsampled).await[..] else { panic!("one request") };
    assert!(got.ends_with("-00") && !got.contains(CLIENTS_SPAN), "{got}");
    // On connections to every worker: what came before would have been sent by then.
    for n in 0..8 {
        let (trace, parent) = begun(0xC100 + n, "01");
        ask(&TRACED.kthena.client(), &parent, &chat("m")).await.ok();
        TRACED.collector.trace(&trace, "a whole trace", whole(1)).await;
    }
    let unsampled = TRACED.collector.spans().into_iter().filter(|span| span.trace == unsampled);
    assert_eq!(unsampled.count(), 0);
}

#[tokio::test]
async fn what_nobody_samples_is_not_traced_and_what_comes_sampled_is() {
    let collector = Collector::start();
    let engine = engine("alive", "served", &[]);
    let setup = quick(Setup::new(&[("all.yaml", &one_model(&engine))]), &collector);
    let kthena = setup.flags(&["--trace-sampling", "0"]).up();
    for _ in 0..20 {
        kthena.client().chat("m").await.ok();
    }
    let (trace, parent) = begun(0xD000, "01");
    ask(&kthena.client(), &parent, &chat("m")).await.ok();
    collector.trace(&trace, "a whole trace", whole(1)).await;
    let traces: BTreeSet<_> = collector.spans().into_iter().map(|span| span.trace).collect();
    assert_eq!(traces, BTreeSet::from([trace]));
}

#[tokio::test]
async fn a_request_without_a_trace_begins_one_that_the_log_names_and_keeps_its_own_id() {
    let client = TRACED.kthena.client();
    // Envoy would write into the fourteenth digit of such an id whether it is traced.
    for id in ["3f0a5f1e-0c5a-4b1e-8c0e-1f0000000001", "no-uuid"] {
        let answer = client.post(CHAT, &[("x-request-id", id)], chat("m").to_string()).await.ok();
        assert_eq!(answer.header("x-request-id"), id);
        let wanted = format!(" request_id={id} trace_id=");
        let line = TRACED.kthena.line(0, "the line", |line| line.contains(&wanted)).await;
        let trace = line.split_once(&wanted).expect("it is there").1.split(' ').next().unwrap_or_default();
        let spans = TRACED.collector.trace(trace, "a whole trace", whole(1)).await;
        assert_eq!(server(&spans).map(|span| span.parent.as_str()), Some(""));
    }
}

#[tokio::test]
async fn failures_are_named_and_a_name_that_a_client_makes_up_names_no_span() {
    for (n, model, path, status, name, error) in [
        (0, "made-up", CHAT, "404", "chat", "route_not_found"),
        (1, "", CHAT, "404", "chat", "request_parsing"),
        (2, "lost", CHAT, "503", "chat lost", "503"),
        (3, "", "/nowhere", "404", "POST", "route_not_found"),
    ] {
        let (trace, parent) = begun(0xE000 + n, "01");
        TRACED.kthena.client().post(path, &[("traceparent", &parent)], chat(model).to_string()).await;
        let spans = TRACED.collector.trace(&trace, "a span", |spans| server(spans).is_some()).await;
        let own = server(&spans).expect("it is there");
        let told = ["http.response.status_code", "error.type", "url.path"].map(|name| own.value(name));
        assert_eq!((own.name.as_str(), told), (name, [status, error, path]), "{own:#?}");
    }
}

#[tokio::test]
async fn no_prompt_answer_or_credential_is_in_a_span() {
    let (trace, parent) = begun(0xF000, "01");
    let mut body = streamed("m", 5);
    body["messages"][0]["content"] = "the-prompt".into();
    let headers = [
        ("traceparent", parent.as_str()),
        ("authorization", "Bearer the-credential"),
        ("x-api-key", "the-credential"),
        ("cookie", "a=the-credential"),
    ];
    let path = format!("{CHAT}?api_key=the-credential");
    let answer = TRACED.kthena.client().post(&path, &headers, body.to_string()).await.ok();
    let spans = TRACED.collector.trace(&trace, "a whole trace", whole(1)).await;
    let words: Vec<_> = answer
        .events()
        .iter()
        .filter_map(|event| event["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
        .collect();
    for (span, (name, value)) in spans.iter().flat_map(|span| span.attributes.iter().map(move |pair| (span, pair))) {
        assert!(!value.contains("the-prompt") && !value.contains("the-credential"), "{name}={value} in {}", span.name);
        assert!(words.iter().all(|word| word.len() < 4 || !value.contains(word)), "{name}={value} in {}", span.name);
    }
}

#[tokio::test]
async fn the_convention_s_metrics_arrive_in_its_buckets() {
    let (_, parent) = begun(0xF100, "00");
    ask(&TRACED.kthena.client(), &parent, &streamed("m", 9)).await.ok();
    let points = until("all four metrics", async || {
        let points = TRACED.collector.points();
        let names: BTreeSet<_> = points.iter().map(|point| point.name.as_str()).collect();
        (names.len() == 4).then_some(points.clone())
    })
    .await;
    for (name, buckets) in [
        ("gen_ai.server.request.duration", 14),
        ("gen_ai.server.time_to_first_token", 16),
        ("gen_ai.server.time_per_output_token", 13),
        ("gen_ai.client.token.usage", 14),
    ] {
        let served = |point: &&Point| point.name == name && point.value("gen_ai.response.model") == "served";
        let found: Vec<_> = points.iter().filter(served).collect();
        assert!(!found.is_empty(), "{name} in {points:#?}");
        for point in found {
            assert_eq!((point.service.as_str(), point.bounds.len()), ("kthena-router", buckets), "{name}");
            let told =
                ["gen_ai.operation.name", "gen_ai.request.model", "gen_ai.response.model", "kthena.model_server"];
            assert_eq!(told.map(|name| point.value(name)), ["chat", "m", "served", "default/m"], "{point:#?}");
            assert!(point.count > 0 && point.sum > 0.0, "{point:#?}");
        }
    }
}

/// Memory that is the process's own, in bytes.
fn memory(pid: u32) -> u64 {
    let process = procfs::process::Process::new(pid.cast_signed()).expect("the process");
    process.statm().expect("its memory").resident * procfs::page_size()
}

/// Requests one after the other on some connections; all must be served.
async fn served(kthena: &Kthena, requests: usize) {
    let client = kthena.client();
    let each = (0..8).map(async |_| {
        for _ in 0..requests / 8 {
            client.try_chat("m").await.expect("an answer").ok();
        }
    });
    futures::future::join_all(each).await;
}

async fn lost(kthena: &Kthena) -> u64 {
    let page = kthena.metrics().get("/metrics").await.ok();
    let line =
        page.text().lines().find_map(|line| line.strip_prefix("kthena_router_otlp_lost_total{signal=\"spans\"} "));
    line.expect("the counter is there").parse().expect("a count")
}

#[tokio::test]
async fn a_collector_that_is_away_costs_spans_and_no_request() {
    let engine = engine("alive", "served", &[]);
    let nobody = Loopback::claim(&[4317]);
    let setup = Setup::new(&[("all.yaml", &one_model(&engine))]).flags(&["--access-log", "off"]);
    let url = format!("http://{}", nobody.at(4317));
    let kthena = setup.flags(&["--otlp-endpoint", &url]).env("OTEL_BSP_SCHEDULE_DELAY", "100").up();
    served(&kthena, 400).await;
    until("losses to be counted", async || (lost(&kthena).await > 0).then_some(())).await;
    kthena.line(0, "a warning", |line| line.contains(&url) && line.contains("lost since the start")).await;
    // It comes at last.
    let collector = Collector::at(nobody, None);
    until("spans to arrive", async || {
        kthena.client().chat("m").await.ok();
        let spans = collector.spans();
        let from = |service: &str| spans.iter().any(|span| span.service == service);
        (from("kthena") && from("kthena-router")).then_some(())
    })
    .await;
    let warnings = kthena.output.lines().iter().filter(|line| line.contains("lost since the start")).count();
    assert_eq!(warnings, 1, "told at most once a minute");
}

#[tokio::test]
async fn a_collector_that_hangs_holds_up_no_request_and_no_memory_grows_with_them() {
    let collector = Collector::start();
    collector.hangs();
    let engine = engine("alive", "served", &[]);
    let setup = Setup::new(&[("all.yaml", &one_model(&engine))]).flags(&["--access-log", "off"]);
    let kthena = quick(setup, &collector).up();
    // What there is room for, and more.
    served(&kthena, 4800).await;
    until("losses to be counted", async || (lost(&kthena).await > 0).then_some(())).await;
    assert!(collector.exports() > 0);
    let processes = ["router", "envoy"].map(|name| kthena.child(name));
    let before = processes.map(memory);
    served(&kthena, 2400).await;
    for (process, before) in processes.into_iter().zip(before) {
        let after = memory(process);
        assert!(after < before + (16 << 20), "{process} had {before} bytes and has {after}");
    }
}

#[tokio::test]
async fn a_collector_behind_tls_is_verified() {
    let engine = engine("alive", "served", &[]);
    let authority = Authority::new();
    let file = authority.file().display().to_string();
    let at = Loopback::claim(&[4317]);
    let certificate = authority.vouch(&at.ip().to_string());
    let collector = Collector::tls(at, &certificate);
    let setup = || Setup::new(&[("all.yaml", &one_model(&engine))]);
    let kthena = quick(setup(), &collector).flags(&["--otlp-ca", &file]).up();
    let (trace, parent) = begun(0xF200, "01");
    ask(&kthena.client(), &parent, &chat("m")).await.ok();
    collector.trace(&trace, "a whole trace", whole(1)).await;
    drop(kthena);
    // Another's certificate is not for it.
    let at = Loopback::claim(&[4317]);
    let other = Collector::tls(at, &certificate);
    let kthena = quick(setup(), &other).flags(&["--otlp-ca", &file]).up();
    kthena.client().chat("m").await.ok();
    until("losses to be counted", async || (lost(&kthena).await > 0).then_some(())).await;
    until("Envoy to be refused", async || {
        kthena.client().chat("m").await.ok();
        let stats = kthena.envoy_stats("cluster.otlp.ssl.fail_verify_san").await;
        stats.values().any(|count| *count > 0).then_some(())
    })
    .await;
    assert_eq!((other.exports(), other.spans().len()), (0, 0));
}

#[tokio::test]
async fn without_the_flag_envoy_knows_nothing_of_traces() {
    let engine = engine("alive", "served", &[]);
    let kthena = Setup::new(&[("all.yaml", &one_model(&engine))]).up();
    let (trace, parent) = begun(0xF300, "01");
    ask(&kthena.client(), &parent, &chat("m")).await.ok();
    assert_eq!(engine_s(&engine, &trace).await, [parent], "what a client sends goes to the engine as it is");
    for part in ["dynamic_listeners", "dynamic_active_clusters", "ecds_filters"] {
        let dump = kthena.admin().get(&format!("/config_dump?resource={part}")).await.ok();
        for word in ["otlp", "opentelemetry", "KTHENA_TRACING", "request_id_extension", "layered_runtime"] {
            assert!(!dump.text().contains(word), "{word} in {part}");
        }
    }
    assert!(!kthena.metrics().get("/metrics").await.ok().text().contains("otlp"));
}

#[test]
fn a_url_that_is_no_collector_s_is_refused_with_what_is_expected() {
    for (url, why) in [("http://127.0.0.1:4318/v1/traces", "OTLP over HTTP"), ("127.0.0.1:4317", "no scheme")] {
        let setup = Setup::new(&[]).flags(&["--otlp-endpoint", url]);
        let manifests = setup.manifests();
        let failure = setup.fail(&manifests);
        let text = failure.stderr.join("\n");
        assert!(
            text.contains("--otlp-endpoint") && text.contains(why) && text.contains("http://127.0.0.1:4317"),
            "{text}"
        );
    }
}
