use super::family::{CAPACITY, Family, GRACE};
use super::value::{Counter, Histogram};
use super::*;
use kthena_core::access_log::{Bound, Chunks, Failure, Phases, Usage};
use kthena_core::scheduling::{Lap, Profile};
use openmetrics_parser::prometheus::parse_prometheus;
use std::time::Duration;

mod reference;

fn telemetry() -> (Arc<Picker>, Telemetry) {
    let picker = Picker::new(Profile::default());
    let telemetry = Telemetry::new(&picker, &Arc::default());
    (picker, telemetry)
}

fn page(telemetry: &Telemetry, now: Instant) -> String {
    TextEncoder::new().encode_to_string(&telemetry.gather(now)).unwrap()
}

/// The samples of a family, `name{labels} value`.
fn samples<'p>(page: &'p str, name: &str) -> Vec<&'p str> {
    page.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))).collect()
}

/// The sum over all series of a family.
fn sum(page: &str, name: &str) -> f64 {
    samples(page, name).iter().map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
}

/// A streamed chat that a ModelServer answered.
fn served(model: &str, route: &str, server: &str) -> Entry {
    let mut chunks = Chunks { first: Duration::from_millis(30), span: Duration::from_millis(90), ..Chunks::default() };
    chunks.gaps[0] = 2;
    chunks.gaps[6] = 1;
    Entry {
        path: "/v1/chat/completions".into(),
        status: 200,
        model: model.into(),
        model_known: true,
        model_route: Some(route.into()),
        bound: Some(Bound { backend_type: "model_server", backend: server.into(), upstream_model: "org/m".into() }),
        usage: Some(Usage { input: 7, output: 4 }),
        phases: Phases { total: Duration::from_millis(120), ..Phases::default() },
        chunks: Some(chunks),
        ..Entry::default()
    }
}

#[test]
fn a_streamed_request_leaves_its_count_duration_tokens_and_pace() {
    let (_, telemetry) = telemetry();
    telemetry.observe(&served("chat", "default/r", "default/s"));
    let page = page(&telemetry, Instant::now());
    let to = r#"model_route="default/r",backend_type="model_server",backend_name="default/s",upstream_model="org/m""#;
    let what = r#"model="chat",path="/v1/chat/completions""#;
    let stream = format!(r#"{what},backend_type="model_server",backend_name="default/s""#);
    for line in [
        format!(r#"kthena_router_requests_total{{{what},status_code="200",error_type="successful_request",{to}}} 1"#),
        format!(r#"kthena_router_request_duration_seconds_bucket{{{what},status_code="200",{to},le="0.1"}} 0"#),
        format!(r#"kthena_router_request_duration_seconds_bucket{{{what},status_code="200",{to},le="0.25"}} 1"#),
        format!(r#"kthena_router_request_duration_seconds_bucket{{{what},status_code="200",{to},le="1"}} 1"#),
        format!(r#"kthena_router_request_duration_seconds_sum{{{what},status_code="200",{to}}} 0.12"#),
        format!(r#"kthena_router_tokens_total{{{what},token_type="input",{to}}} 7"#),
        format!(r#"kthena_router_tokens_total{{{what},token_type="output",{to}}} 4"#),
        format!(r#"kthena_router_time_to_first_token_seconds_sum{{{stream}}} 0.03"#),
        format!(r#"kthena_router_time_per_output_token_seconds_sum{{{stream}}} 0.03"#),
        format!(r#"kthena_router_inter_chunk_seconds_bucket{{{stream},le="0.005"}} 2"#),
        format!(r#"kthena_router_inter_chunk_seconds_bucket{{{stream},le="0.05"}} 2"#),
        format!(r#"kthena_router_inter_chunk_seconds_bucket{{{stream},le="0.075"}} 3"#),
        format!(r#"kthena_router_inter_chunk_seconds_bucket{{{stream},le="+Inf"}} 3"#),
        format!(r#"kthena_router_inter_chunk_seconds_sum{{{stream}}} 0.09"#),
    ] {
        assert!(page.lines().any(|found| found == line), "{line}\nin\n{page}");
    }
}

#[test]
fn one_token_or_no_usage_has_no_pace() {
    let (_, telemetry) = telemetry();
    telemetry.observe(&Entry { usage: None, ..served("chat", "default/r", "default/s") });
    let usage = Some(Usage { input: 7, output: 1 });
    telemetry.observe(&Entry { usage, ..served("chat", "default/r", "default/s") });
    let page = page(&telemetry, Instant::now());
    assert_eq!(sum(&page, "kthena_router_time_to_first_token_seconds_count"), 2.0);
    assert_eq!(sum(&page, "kthena_router_time_per_output_token_seconds_count"), 0.0);
}

#[test]
fn a_request_whose_model_was_not_read_is_not_counted() {
    let (_, telemetry) = telemetry();
    let failure = Some(Failure { kind: "request_parsing", message: "invalid request body".into() });
    telemetry.observe(&Entry { status: 400, failure, path: "/v1/completions".into(), ..Entry::default() });
    telemetry.observe(&Entry { status: 200, path: "/v1/models".into(), ..Entry::default() });
    assert_eq!(sum(&page(&telemetry, Instant::now()), "kthena_router_requests_total"), 0.0);
}

#[test]
fn what_clients_make_up_adds_no_series() {
    let (_, telemetry) = telemetry();
    for i in 0..100_000_u32 {
        telemetry.observe(&Entry {
            method: format!("METHOD{i}"),
            path: format!("/v1/made/up/{i}"),
            protocol: "HTTP/9",
            status: u16::try_from(i % 65_536).unwrap(),
            model: format!("made-up-{i}"),
            ..Entry::default()
        });
    }
    let page = page(&telemetry, Instant::now());
    assert_eq!(sum(&page, "kthena_router_requests_total"), 100_000.0);
    let series = samples(&page, "kthena_router_requests_total").len();
    assert!(series < 150, "{series} series");
    assert!(!page.contains("made"), "no word of a client's");
}

#[test]
fn a_full_family_counts_on_in_one_series() {
    let family: Arc<Family<Counter, 3>> = Family::new("c_total", "c", ["model", "path", "status_code"]);
    let now = Instant::now();
    let model = |i| format!("m-{i}");
    for i in 0..2 * CAPACITY {
        family.at([&model(i), "/v1/completions", "200"], now).add(1);
    }
    family.at([&model(0), "/v1/completions", "200"], now).add(1);
    let page = TextEncoder::new().encode_to_string(&family.collect()).unwrap();
    assert_eq!(samples(&page, "c_total").len(), CAPACITY + 1);
    assert_eq!(sum(&page, "c_total"), (2 * CAPACITY + 1) as f64);
    for line in [
        format!(r#"c_total{{model="other",path="/v1/completions",status_code="other"}} {CAPACITY}"#),
        r#"c_total{model="m-0",path="/v1/completions",status_code="200"} 2"#.to_owned(),
    ] {
        assert!(page.lines().any(|found| found == line), "{line}");
    }
}

#[test]
fn a_full_family_drops_what_is_idle_before_it_merges() {
    let family: Arc<Family<Counter, 1>> = Family::new("c_total", "c", ["model"]);
    let start = Instant::now();
    let name = |i| format!("m-{i}");
    for i in 0..CAPACITY {
        family.at([&name(i)], start).add(1);
    }
    let lost = || family.lost().map(|lost| (lost.dropped, lost.merged)).unwrap();
    family.at(["early"], start + GRACE / 2).add(1);
    family.at([&name(0)], start + GRACE / 2).add(1);
    assert_eq!(lost(), (0, 1), "nothing is idle yet");
    family.at(["late"], start + GRACE).add(1);
    assert_eq!(lost(), (CAPACITY as u64 - 1, 1));
    let page = TextEncoder::new().encode_to_string(&family.collect()).unwrap();
    let left = [r#"c_total{model="late"} 1"#, r#"c_total{model="m-0"} 2"#, r#"c_total{model="other"} 1"#];
    assert_eq!(samples(&page, "c_total"), left);
}

#[test]
fn a_full_family_keeps_gauges_that_will_be_counted_down() {
    let family: Arc<Family<Gauge, 1>> = Family::new("g", "g", ["model"]);
    let start = Instant::now();
    for i in 0..CAPACITY {
        family.at([&format!("m-{i}")], start).add(i64::from(i % 2 == 0));
    }
    family.at(["late"], start + GRACE).add(1);
    let page = TextEncoder::new().encode_to_string(&family.collect()).unwrap();
    assert_eq!((samples(&page, "g").len(), sum(&page, "g")), (CAPACITY / 2 + 1, (CAPACITY / 2 + 1) as f64));
}

#[test]
fn what_families_lose_is_on_the_page() {
    let (_, telemetry) = telemetry();
    let start = Instant::now();
    for i in 0..=CAPACITY {
        telemetry.requests.observe(&served(&format!("m-{i}"), "default/r", "default/s"), start);
    }
    telemetry.requests.observe(&served("late", "default/r", "default/s"), start + GRACE);
    let page = page(&telemetry, start);
    let of =
        |what: &str| format!(r#"kthena_router_metric_series_{what}_total{{family="kthena_router_requests_total"}}"#);
    for line in [format!("{} {}", of("dropped"), CAPACITY + 1), format!("{} 1", of("merged"))] {
        assert!(page.lines().any(|found| found == line), "{line}\nin\n{page}");
    }
}

#[test]
fn series_of_what_left_the_configuration_go_once_idle() {
    let (_, telemetry) = telemetry();
    let start = Instant::now();
    let old = ["chat", "default/old", "default/s", "org/m"].map(str::to_owned);
    let new = ["chat", "default/new", "default/s", "org/m"].map(str::to_owned);
    let count = |now| samples(&page(&telemetry, now), "kthena_router_requests_total").len();
    telemetry.requests.observe(&served("chat", "default/old", "default/s"), start);
    telemetry.requests.observe(&Entry { model: "made-up".into(), status: 404, ..Entry::default() }, start);
    assert_eq!(count(start + 10 * GRACE), 2, "nothing goes before the first configuration is known");
    telemetry.configured(old);
    assert_eq!(count(start + 10 * GRACE), 2, "what is configured stays, idle or not");
    telemetry.configured(new);
    telemetry.requests.observe(&served("chat", "default/new", "default/s"), start);
    assert_eq!(count(start + GRACE / 2), 3, "its last increments are still to be scraped");
    assert_eq!(count(start + GRACE), 2, "unknown names are no names of the configuration");
    let page = page(&telemetry, start + GRACE);
    assert!(!page.contains("default/old"), "{page}");
}

#[test]
fn a_gauge_of_requests_under_way_stays_while_it_counts_some() {
    let (picker, telemetry) = telemetry();
    telemetry.configured([]);
    let now = Instant::now();
    let whereto = Whereto { model: "chat", route: "default/r", server: "default/s", upstream_model: "org/m" };
    let underway = picker.live().begin(whereto, now);
    let upstream = concat!(
        r#"kthena_router_active_upstream_requests{model_server="default/s",model_route="default/r","#,
        r#"backend_type="model_server",backend_name="default/s",upstream_model="org/m"}"#
    );
    let shown =
        |name: &str, now| page(&telemetry, now).lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    assert_eq!(shown(upstream, now + 2 * GRACE).as_deref(), Some(" 1"));
    assert_eq!(shown("kthena_router_active_requests", now).as_deref(), Some(" 1"));
    assert_eq!(shown(r#"kthena_router_active_downstream_requests{model="chat"}"#, now).as_deref(), Some(" 1"));
    drop(underway);
    assert_eq!(shown(upstream, now).as_deref(), Some(" 0"));
    assert_eq!(shown(upstream, now + GRACE), None);
    assert_eq!(shown("kthena_router_active_requests", now).as_deref(), Some(" 0"));
}

#[test]
fn plugins_are_timed_apart() {
    let (picker, telemetry) = telemetry();
    let start = Instant::now();
    let at = |millis| start + Duration::from_millis(millis);
    let mut watch = Stopwatch::new(start);
    watch.lap(Lap::Start, at(100));
    watch.lap(Lap::Filter("f"), at(102));
    watch.lap(Lap::Scorer("s"), at(122));
    picker.live().decided("chat", &watch);
    let page = page(&telemetry, start);
    let name = "kthena_router_scheduler_plugin_duration_seconds_sum";
    let expected = [
        format!(r#"{name}{{model="chat",plugin="f",type="filter"}} 0.002"#),
        format!(r#"{name}{{model="chat",plugin="s",type="score"}} 0.02"#),
    ];
    assert_eq!(samples(&page, name), expected);
}

#[test]
fn bounds_are_inclusive_as_prometheus_has_them() {
    let family: Arc<Family<Histogram, 0>> = Family::bounded("h_seconds", "h", [], &[1.0, 2.0]);
    for value in [0.5, 1.0, 1.5, 2.0, 2.5] {
        family.at([], Instant::now()).observe(value);
    }
    let page = TextEncoder::new().encode_to_string(&family.collect()).unwrap();
    let counts: Vec<_> = page.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(
        counts,
        [
            r#"h_seconds_bucket{le="1"} 2"#,
            r#"h_seconds_bucket{le="2"} 4"#,
            r#"h_seconds_bucket{le="+Inf"} 5"#,
            "h_seconds_sum 7.5",
            "h_seconds_count 5"
        ]
    );
}

#[test]
fn labels_that_run_together_are_different_series() {
    let family: Arc<Family<Counter, 2>> = Family::new("c_total", "c", ["a", "b"]);
    family.at(["x", "yz"], Instant::now()).add(1);
    family.at(["xy", "z"], Instant::now()).add(2);
    let page = TextEncoder::new().encode_to_string(&family.collect()).unwrap();
    assert_eq!(samples(&page, "c_total"), [r#"c_total{a="x",b="yz"} 1"#, r#"c_total{a="xy",b="z"} 2"#]);
}

#[test]
fn a_strict_parser_reads_the_page_whatever_names_hold() {
    let (_, telemetry) = telemetry();
    telemetry.observe(&served("quote \" back\\slash \n line, {brace} ü", "default/r", "default/s"));
    let page = page(&telemetry, Instant::now());
    let parsed = parse_prometheus(&page).unwrap_or_else(|error| panic!("{error}\n{page}"));
    assert!(parsed.families.contains_key("kthena_router_requests_total"));
    assert!(page.contains("# TYPE kthena_router_requests_total counter\n") && !page.contains("# EOF"), "{page}");
}

#[test]
fn retries_and_what_the_budget_withheld_are_counted_by_model_server() {
    let (_, telemetry) = telemetry();
    for (attempts, rationed) in [(1, false), (4, false), (1, true)] {
        let entry = served("chat", "default/r", "default/s");
        telemetry.observe(&Entry { upstream_attempts: attempts, rationed, ..entry });
    }
    let page = page(&telemetry, Instant::now());
    let server = r#"{backend_type="model_server",backend_name="default/s"}"#;
    assert_eq!(samples(&page, "kthena_router_retries_total"), [format!("kthena_router_retries_total{server} 3")]);
    let withheld = samples(&page, "kthena_router_retry_budget_spent_total");
    assert_eq!(withheld, [format!("kthena_router_retry_budget_spent_total{server} 1")]);
}
