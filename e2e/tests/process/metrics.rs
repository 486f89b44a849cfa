//! `/metrics`: what users' queries find there after requests, under upstream's names.

use kthena_e2e::{Engine, Kthena, Setup, chat, manifests, streamed, until};
use kthena_simulator::Options;
use openmetrics_parser::prometheus::parse_prometheus;
use openmetrics_parser::{MetricFamily, PrometheusType, PrometheusValue};
use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;
use std::time::Duration;

/// One engine behind a model for each test, whose counts are then its own.
static METRICS: LazyLock<(Kthena, Engine)> = LazyLock::new(|| {
    let tpot = Duration::from_millis(20);
    let engine = Engine::simulated("engine", Options { models: vec![SERVED.into()], tpot, ..Options::default() });
    let models = ["counted", "whole", "streamed", "underway", "plugins", "paths", "gone"];
    let routes: String = models.map(|name| manifests::route(name, name, &[("engine", 100)])).concat();
    let rest = manifests::server("engine", SERVED, "") + &manifests::pod("engine", "engine", &engine.ip());
    let random = "scheduler: {plugins: {Score: {enabled: [{name: random, weight: 1}]}}}";
    (Setup::new(&[("all.yaml", &(routes + &rest))]).config(random).up(), engine)
});

const SERVED: &str = "served/model";
const REQUESTS: &str = "kthena_router_requests_total";
const TOKENS: &str = "kthena_router_tokens_total";
const FIRST_TOKEN: &str = "kthena_router_time_to_first_token_seconds";
const CHAT: &str = "/v1/chat/completions";

/// A page that a strict parser has read.
struct Page(HashMap<String, MetricFamily<PrometheusType, PrometheusValue>>);

impl Page {
    async fn now() -> Self {
        let answer = METRICS.0.metrics().get("/metrics").await.ok();
        let page = answer.text();
        Self(parse_prometheus(page).unwrap_or_else(|error| panic!("{error}\n{page}")).families)
    }

    /// The sum over the series that carry these labels: of values, and of a histogram's counts.
    fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let samples = self.0.get(name).into_iter().flat_map(MetricFamily::iter_samples);
        let wanted = samples.filter(|sample| {
            let found = sample.get_labelset().expect("labels");
            labels.iter().all(|(label, value)| found.get_label_value(label) == Some(value))
        });
        let value = |value: &PrometheusValue| match value {
            PrometheusValue::Gauge(number) | PrometheusValue::Unknown(number) => number.as_f64(),
            PrometheusValue::Counter(counter) => counter.value.as_f64(),
            PrometheusValue::Histogram(histogram) => histogram.count.expect("a count") as f64,
            PrometheusValue::Summary(_) => panic!("nothing here is a summary"),
        };
        wanted.map(|sample| value(&sample.value)).sum()
    }

    /// The values of a label of a family, among series that carry these labels.
    fn values(&self, name: &str, label: &str, labels: &[(&str, &str)]) -> BTreeSet<String> {
        let samples = self.0.get(name).into_iter().flat_map(MetricFamily::iter_samples);
        let sets = samples.map(|sample| sample.get_labelset().expect("labels"));
        let wanted = sets.filter(|set| labels.iter().all(|(label, value)| set.get_label_value(label) == Some(value)));
        wanted.filter_map(|set| set.get_label_value(label).map(str::to_owned)).collect()
    }
}

/// Waits until requests that have ended are on the page.
async fn until_sum(name: &str, labels: &[(&str, &str)], expected: f64) -> Page {
    until(&format!("{name} {labels:?} to be {expected}"), async || {
        let page = Page::now().await;
        (page.sum(name, labels) == expected).then_some(page)
    })
    .await
}

#[tokio::test]
async fn three_requests_count_three() {
    for _ in 0..3 {
        METRICS.0.client().chat("counted").await.ok();
    }
    let labels = [
        ("model", "counted"),
        ("path", CHAT),
        ("status_code", "200"),
        ("error_type", "successful_request"),
        ("model_route", "default/counted"),
        ("backend_type", "model_server"),
        ("backend_name", "default/engine"),
        ("upstream_model", SERVED),
    ];
    let page = until_sum(REQUESTS, &labels, 3.0).await;
    assert_eq!(page.sum(REQUESTS, &labels[..1]), 3.0, "and nothing else of that model");
    let labels = [&labels[..3], &labels[4..]].concat();
    assert_eq!(page.sum("kthena_router_request_duration_seconds", &labels), 3.0);
}

#[tokio::test]
async fn a_model_that_nobody_offers_counts_as_unknown() {
    let labels = [
        ("model", "unknown"),
        ("status_code", "404"),
        ("error_type", "route_not_found"),
        ("path", CHAT),
        ("backend_type", "unresolved"),
        ("model_route", "none"),
        ("backend_name", "none"),
        ("upstream_model", "none"),
    ];
    METRICS.0.client().chat("nobody-offers-this").await.assert_error(404, "route not found");
    let page = until_sum(REQUESTS, &labels, 1.0).await;
    assert_eq!(page.values(REQUESTS, "model", &[("model", "nobody-offers-this")]), BTreeSet::new());
}

#[tokio::test]
async fn tokens_are_the_engines_streamed_or_not() {
    let answer = METRICS.0.client().chat("whole").await.ok().json();
    let usage = |name: &str| answer["usage"][name].as_f64().expect("a count");
    let tokens = [("input", usage("prompt_tokens")), ("output", usage("completion_tokens"))];
    assert_eq!(tokens[1].1, 4.0);
    for (direction, count) in tokens {
        until_sum(TOKENS, &[("model", "whole"), ("token_type", direction)], count).await;
    }
    // The usage that this client did not ask for counts all the same, and the prompt is the same.
    METRICS.0.client().post(CHAT, &[], streamed("whole", 6).to_string()).await.ok();
    until_sum(TOKENS, &[("model", "whole"), ("token_type", "input")], 2.0 * tokens[0].1).await;
    until_sum(TOKENS, &[("model", "whole"), ("token_type", "output")], 4.0 + 6.0).await;
}

#[tokio::test]
async fn a_streams_pace_is_measured_and_a_whole_answers_is_not() {
    METRICS.0.client().chat("streamed").await.ok();
    METRICS.0.client().post(CHAT, &[], streamed("streamed", 8).to_string()).await.ok();
    let of = [("model", "streamed"), ("path", CHAT), ("backend_name", "default/engine")];
    let page = until_sum(REQUESTS, &of, 2.0).await;
    assert_eq!(page.sum(FIRST_TOKEN, &of), 1.0);
    assert_eq!(page.sum("kthena_router_time_per_output_token_seconds", &of), 1.0);
    let gaps = page.sum("kthena_router_inter_chunk_seconds", &of);
    // Events that come together are one chunk, on a busy machine at least.
    assert!((1.0..=10.0).contains(&gaps), "{gaps} gaps between 8 words");
}

#[tokio::test]
async fn a_request_under_way_is_in_the_gauges_until_it_ends() {
    let model = [("model", "underway")];
    let upstream = [
        ("model_server", "default/engine"),
        ("model_route", "default/underway"),
        ("backend_type", "model_server"),
        ("backend_name", "default/engine"),
        ("upstream_model", SERVED),
    ];
    let mut stream = METRICS.0.client().stream(CHAT, &streamed("underway", 1_000)).await.unwrap();
    stream.event().await.unwrap().expect("it has begun");
    let page = Page::now().await;
    assert_eq!(page.sum("kthena_router_active_downstream_requests", &model), 1.0);
    assert_eq!(page.sum("kthena_router_active_upstream_requests", &upstream), 1.0);
    assert!(page.sum("kthena_router_active_requests", &[]) >= 1.0);
    assert_eq!(page.sum(REQUESTS, &model), 0.0, "it has not ended");
    drop(stream);
    until_sum("kthena_router_active_downstream_requests", &model, 0.0).await;
    let page = until_sum(REQUESTS, &model, 1.0).await;
    assert_eq!(page.sum("kthena_router_active_upstream_requests", &upstream), 0.0);
}

#[tokio::test]
async fn only_configured_plugins_are_timed() {
    let name = "kthena_router_scheduler_plugin_duration_seconds";
    METRICS.0.client().chat("plugins").await.ok();
    let page = Page::now().await;
    let labels = [("model", "plugins"), ("plugin", "random"), ("type", "score")];
    assert_eq!(page.sum(name, &labels), 1.0);
    assert_eq!(page.values(name, "plugin", &[]), BTreeSet::from(["random".to_owned()]));
}

#[tokio::test]
async fn paths_that_clients_make_up_are_one_label() {
    for i in 0..3 {
        METRICS.0.client().post(&format!("/v1/made/up/{i}?q={i}"), &[], chat("paths").to_string()).await;
    }
    METRICS.0.client().post(&format!("{CHAT}?q=1"), &[], chat("paths").to_string()).await.ok();
    let model = ("model", "paths");
    until_sum(REQUESTS, &[model, ("path", "other")], 3.0).await;
    let page = until_sum(REQUESTS, &[model, ("path", CHAT)], 1.0).await;
    assert_eq!(page.values(REQUESTS, "path", &[model]), BTreeSet::from(["other".to_owned(), CHAT.to_owned()]));
}

#[tokio::test]
async fn the_page_is_plain_prometheus_text_whatever_is_accepted() {
    METRICS.0.client().chat("gone").await.ok();
    until_sum(REQUESTS, &[("model", "gone")], 1.0).await;
    for accept in ["*/*", "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"] {
        let answer = METRICS.0.metrics().get_with("/metrics", &[("accept", accept)]).await.ok();
        assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8", "{accept}");
        let page = answer.text();
        assert!(page.contains("# TYPE kthena_router_requests_total counter\n"), "{page}");
        assert!(!page.contains("_created") && !page.contains("# EOF"), "{page}");
    }
    let page = Page::now().await;
    assert_eq!(page.sum("kthena_router_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1.0);
    assert!(page.sum("process_cpu_seconds_total", &[]) > 0.0);
}
