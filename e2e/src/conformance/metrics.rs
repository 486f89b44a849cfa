//! The metrics that are read: their names, their labels, and that they move.

use super::{Case, Subject, cases};
use serde_json::json;
use std::collections::BTreeSet;

pub(super) const DIRECT: &[Case] = cases![
    metrics_have_their_names_types_and_labels,
    every_counter_and_histogram_has_a_created_twin,
    the_cache_s_blocks_are_told_by_an_info_series,
    an_engine_that_is_awake_says_so,
    an_answer_moves_its_counters,
    prompt_tokens_are_told_apart_by_their_source,
];

const COUNTER: &str = "counter";
const GAUGE: &str = "gauge";
const HISTOGRAM: &str = "histogram";

/// Name as in the `# TYPE` line, type, and labels besides `engine` and `model_name`.
const METRICS: &[(&str, &str, &[&str])] = &[
    ("num_requests_running", GAUGE, &[]),
    ("num_requests_waiting", GAUGE, &[]),
    ("num_requests_waiting_by_reason", GAUGE, &["reason"]),
    ("kv_cache_usage_perc", GAUGE, &[]),
    ("engine_sleep_state", GAUGE, &["sleep_state"]),
    ("prefix_cache_queries_total", COUNTER, &[]),
    ("prefix_cache_hits_total", COUNTER, &[]),
    ("num_preemptions_total", COUNTER, &[]),
    ("prompt_tokens_total", COUNTER, &[]),
    ("prompt_tokens_cached_total", COUNTER, &[]),
    ("prompt_tokens_by_source_total", COUNTER, &["source"]),
    ("generation_tokens_total", COUNTER, &[]),
    ("request_success_total", COUNTER, &["finished_reason"]),
    ("time_to_first_token_seconds", HISTOGRAM, &[]),
    ("inter_token_latency_seconds", HISTOGRAM, &[]),
    ("request_time_per_output_token_seconds", HISTOGRAM, &[]),
    ("e2e_request_latency_seconds", HISTOGRAM, &[]),
    ("request_queue_time_seconds", HISTOGRAM, &[]),
    ("request_prompt_tokens", HISTOGRAM, &[]),
    ("request_generation_tokens", HISTOGRAM, &[]),
];

async fn metrics_have_their_names_types_and_labels(it: Subject) {
    let answer = it.engine.get("/metrics").await.ok();
    assert_eq!(answer.header("content-type"), "text/plain; version=1.0.0; charset=utf-8");
    it.chat(json!({})).await.ok();
    let page = it.page().await;
    for (name, kind, labels) in METRICS {
        assert_eq!(page.kind(name), Some(*kind), "{name}");
        let labels: BTreeSet<_> = ["engine", "model_name"].iter().chain(*labels).copied().collect();
        let suffixes: &[&str] = if *kind == HISTOGRAM { &["_bucket", "_sum", "_count"] } else { &[""] };
        for suffix in suffixes {
            assert_eq!(page.labels(&format!("{name}{suffix}")), labels, "{name}{suffix}");
        }
        let series = format!("{name}{}", suffixes[0]);
        assert_eq!(page.values(&series, "engine"), ["0"].into(), "{name}");
        assert_eq!(page.values(&series, "model_name"), [it.facts.model].into(), "{name}");
    }
    let reasons = ["stop", "length", "abort", "error", "repetition"];
    assert_eq!(page.values("request_success_total", "finished_reason"), reasons.into());
    assert_eq!(page.values("num_requests_waiting_by_reason", "reason"), ["capacity", "deferred"].into());
    assert_eq!(page.labels("admission_rejections_total"), ["model_name", "reason"].into(), "no engine");
}

async fn every_counter_and_histogram_has_a_created_twin(it: Subject) {
    let page = it.page().await;
    for (name, kind, labels) in METRICS.iter().filter(|(_, kind, _)| *kind != GAUGE) {
        let twin = format!("{}_created", name.strip_suffix("_total").unwrap_or(name));
        assert_eq!(page.kind(&twin), Some(GAUGE), "{twin} of a {kind}");
        let labels: BTreeSet<_> = ["engine", "model_name"].iter().chain(*labels).copied().collect();
        assert_eq!(page.labels(&twin), labels, "{twin}");
        assert!(page.gauge(&twin) > 1.7e9, "{twin} is a time");
    }
}

async fn the_cache_s_blocks_are_told_by_an_info_series(it: Subject) {
    let page = it.page().await;
    let size = it.facts.block_size.to_string();
    assert_eq!(page.values("cache_config_info", "block_size"), [size.as_str()].into());
    assert_eq!(page.values("cache_config_info", "enable_prefix_caching"), ["True"].into());
    let [blocks] = page.values("cache_config_info", "num_gpu_blocks").into_iter().collect::<Vec<_>>()[..] else {
        panic!("one number of blocks")
    };
    assert!(blocks.parse::<usize>().is_ok_and(|blocks| blocks * it.facts.block_size > it.facts.max_model_len as usize));
    assert_eq!((page.gauge("cache_config_info"), page.kind("cache_config_info")), (1.0, Some(GAUGE)));
}

async fn an_engine_that_is_awake_says_so(it: Subject) {
    let page = it.page().await;
    for (state, value) in [("awake", 1.0), ("weights_offloaded", 0.0), ("discard_all", 0.0)] {
        assert_eq!(page.labelled("engine_sleep_state", &[("sleep_state", state)]), value, "{state}");
    }
}

async fn an_answer_moves_its_counters(it: Subject) {
    let before = it.idle().await;
    let usage = it.chat(json!({"max_tokens": 5})).await.ok().json()["usage"].clone();
    let prompt = usage["prompt_tokens"].as_f64().unwrap();
    let moved = [
        ("prompt_tokens_total", prompt),
        ("prefix_cache_queries_total", prompt),
        ("generation_tokens_total", 5.0),
        ("request_success_total", 1.0),
        ("time_to_first_token_seconds_count", 1.0),
        ("inter_token_latency_seconds_count", 4.0),
        ("request_time_per_output_token_seconds_count", 1.0),
        ("e2e_request_latency_seconds_count", 1.0),
        ("request_prompt_tokens_sum", prompt),
        ("request_generation_tokens_sum", 5.0),
    ];
    // They are written when the answer's last step is, which may be after the answer is here.
    let length = [("finished_reason", "length")];
    let page = it
        .metrics_until("the counters of an answer", |page| {
            moved.iter().all(|(name, by)| page.gauge(name) - before.gauge(name) >= *by)
        })
        .await;
    for (name, by) in moved {
        assert_eq!(page.gauge(name) - before.gauge(name), by, "{name}");
    }
    let lengths = |page: &super::Page| page.labelled("request_success_total", &length);
    assert_eq!(lengths(&page) - lengths(&before), 1.0);
    for name in ["time_to_first_token_seconds_sum", "inter_token_latency_seconds_sum"] {
        assert!(page.gauge(name) > before.gauge(name), "{name}");
    }
}

async fn prompt_tokens_are_told_apart_by_their_source(it: Subject) {
    let before = it.idle().await;
    let ids: Vec<_> = (0..2 * it.facts.block_size + 6).map(|i| 600 + i).collect();
    for _ in 0..2 {
        it.complete(json!({"prompt": ids})).await.ok();
    }
    let (all, hit) = (2 * ids.len(), 2 * it.facts.block_size);
    let source = |page: &super::Page, source| page.labelled("prompt_tokens_by_source_total", &[("source", source)]);
    let moved = |page: &super::Page, name| source(page, name) - source(&before, name);
    let page = it
        .metrics_until("prompt tokens", |page| {
            moved(page, "local_compute") + moved(page, "local_cache_hit") >= all as f64
        })
        .await;
    assert_eq!(moved(&page, "local_cache_hit"), hit as f64);
    assert_eq!(page.gauge("prompt_tokens_cached_total") - before.gauge("prompt_tokens_cached_total"), hit as f64);
}
