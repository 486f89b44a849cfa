//! vLLM's `/metrics`: names, labels, help and order of a capture. What a simulated engine cannot have
//! (other tiers of cache, images) is 0, as it is in a vLLM that has none.

use std::time::{SystemTime, UNIX_EPOCH};

use super::page::Page;
use crate::engine::{Sleep, Stats};

/// Adapters that were seen waiting and running together: vLLM's page keeps every such set for good.
#[derive(Debug, Clone, PartialEq)]
pub struct AdapterSet {
    pub waiting: String,
    pub running: String,
    /// When it was last so, in Unix seconds.
    pub seen: f64,
}

/// What a version 1.0.0 of the text format says of itself.
pub const CONTENT_TYPE: &str = "text/plain; version=1.0.0; charset=utf-8";

/// The whole page; `model` is the first served name.
pub fn page(model: &str, stats: &Stats, adapters: &[AdapterSet]) -> String {
    let mut page = Page::new(Some(unix(stats.started)));
    page.labelled(&[("engine", "0"), ("model_name", model)]);
    gauges(&mut page, stats);
    counters(&mut page, stats);
    page.labelled(&[("model_name", model)]);
    page.counter(
        "vllm:admission_rejections",
        "Number of admission attempts rejected by a queue limit, by reason.",
        &[
            (&[("reason", "max_num_queued_reqs")], stats.totals.rejected_queued_requests),
            (&[("reason", "max_num_queued_tokens")], 0),
        ],
    );
    page.labelled(&[("engine", "0"), ("model_name", model)]);
    histograms(&mut page, stats);
    page.labelled(&[]);
    infos(&mut page, stats, adapters);
    page.finish()
}

fn gauges(page: &mut Page, stats: &Stats) {
    let waiting = stats.waiting;
    page.gauge(
        "vllm:num_requests_running",
        "Number of requests in model execution batches.",
        &[(&[], stats.running as f64)],
    );
    page.gauge(
        "vllm:num_requests_waiting",
        "Number of requests waiting to be processed.",
        &[(&[], waiting.total() as f64)],
    );
    page.gauge(
        "vllm:num_requests_waiting_by_reason",
        "Number of waiting requests by reason. Reason labels: 'capacity' = waiting for scheduling capacity; \
         'deferred' = deferred by transient constraints (LoRA budget, KV transfer, blocked status). Sum of all \
         reasons equals vllm:num_requests_waiting.",
        &[(&[("reason", "capacity")], waiting.capacity as f64), (&[("reason", "deferred")], waiting.deferred as f64)],
    );
    let is = |state| f64::from(u8::from(stats.sleep == state));
    page.gauge(
        "vllm:engine_sleep_state",
        "Engine sleep state; awake = 0 means engine is sleeping; awake = 1 means engine is awake; \
         weights_offloaded = 1 means sleep level 1; discard_all = 1 means sleep level 2.",
        &[
            (&[("sleep_state", "awake")], is(Sleep::Awake)),
            (&[("sleep_state", "weights_offloaded")], is(Sleep::WeightsOffloaded)),
            (&[("sleep_state", "discard_all")], is(Sleep::DiscardAll)),
        ],
    );
    page.gauge(
        "vllm:kv_cache_usage_perc",
        "KV-cache usage. 1 means 100 percent usage.",
        &[(&[], stats.kv_cache_usage)],
    );
}

fn counters(page: &mut Page, stats: &Stats) {
    let totals = &stats.totals;
    let mut plain = |name: &str, help: &str, value| page.counter(name, help, &[(&[], value)]);
    plain(
        "vllm:prefix_cache_queries",
        "Prefix cache queries, in terms of number of queried tokens.",
        totals.prefix_queries,
    );
    plain("vllm:prefix_cache_hits", "Prefix cache hits, in terms of number of cached tokens.", totals.prefix_hits);
    plain(
        "vllm:external_prefix_cache_queries",
        "External prefix cache queries from KV connector cross-instance cache sharing, in terms of number of \
         queried tokens.",
        0,
    );
    plain(
        "vllm:external_prefix_cache_hits",
        "External prefix cache hits from KV connector cross-instance cache sharing, in terms of number of cached \
         tokens.",
        0,
    );
    plain("vllm:mm_cache_queries", "Multi-modal cache queries, in terms of number of queried items.", 0);
    plain("vllm:mm_cache_hits", "Multi-modal cache hits, in terms of number of cached items.", 0);
    plain("vllm:num_preemptions", "Cumulative number of preemption from the engine.", totals.preemptions);
    plain("vllm:prompt_tokens", "Number of prefill tokens processed.", totals.prompt_tokens);
    page.counter(
        "vllm:prompt_tokens_by_source",
        "Number of prompt tokens by source.",
        &[
            (&[("source", "local_compute")], totals.prompt_tokens_computed),
            (&[("source", "local_cache_hit")], totals.prompt_tokens_cached),
            (&[("source", "external_kv_transfer")], 0),
        ],
    );
    let cached = totals.prompt_tokens_cached;
    page.counter("vllm:prompt_tokens_cached", "Number of cached prompt tokens (local + external).", &[(&[], cached)]);
    page.counter(
        "vllm:prompt_tokens_cached_by_source",
        "Prefix-cache hit tokens by the cache tier that supplied them: device (local HBM), host (offloaded to \
         DRAM), disk, p2p (transferred from another vLLM instance) or external_unspecified. Counted at admission; \
         sums to vllm:prefix_cache_hits + vllm:external_prefix_cache_hits.",
        &[
            (&[("source", "device")], totals.prefix_hits),
            (&[("source", "host")], 0),
            (&[("source", "p2p")], 0),
            (&[("source", "disk")], 0),
            (&[("source", "external_unspecified")], 0),
        ],
    );
    let generated = totals.generation_tokens;
    page.counter("vllm:generation_tokens", "Number of generation tokens processed.", &[(&[], generated)]);
    page.counter(
        "vllm:request_success",
        "Count of successfully processed requests.",
        &[
            (&[("finished_reason", "stop")], 0),
            (&[("finished_reason", "length")], totals.ended.length),
            (&[("finished_reason", "abort")], totals.ended.abort),
            (&[("finished_reason", "error")], 0),
            (&[("finished_reason", "repetition")], 0),
        ],
    );
}

fn histograms(page: &mut Page, stats: &Stats) {
    let (sizes, latencies) = (&stats.sizes, &stats.latencies);
    for (name, help, histogram) in [
        ("request_prompt_tokens", "Number of prefill tokens processed.", &sizes.prompt_tokens),
        ("request_generation_tokens", "Number of generation tokens processed.", &sizes.generation_tokens),
        (
            "request_max_num_generation_tokens",
            "Histogram of maximum number of requested generation tokens.",
            &sizes.generation_tokens,
        ),
        ("request_params_n", "Histogram of the n request parameter.", &sizes.copies),
        ("request_params_max_tokens", "Histogram of the max_tokens request parameter.", &sizes.max_tokens),
        ("time_to_first_token_seconds", "Histogram of time to first token in seconds.", &latencies.time_to_first_token),
        ("inter_token_latency_seconds", "Histogram of inter-token latency in seconds.", &latencies.inter_token),
        (
            "request_time_per_output_token_seconds",
            "Histogram of time_per_output_token_seconds per request.",
            &latencies.time_per_output_token,
        ),
        ("e2e_request_latency_seconds", "Histogram of e2e request latency in seconds.", &latencies.end_to_end),
        ("request_queue_time_seconds", "Histogram of time spent in WAITING phase for request.", &latencies.queue),
        (
            "request_inference_time_seconds",
            "Histogram of time spent in RUNNING phase for request.",
            &latencies.inference,
        ),
        ("request_prefill_time_seconds", "Histogram of time spent in PREFILL phase for request.", &latencies.prefill),
        ("request_decode_time_seconds", "Histogram of time spent in DECODE phase for request.", &latencies.decode),
        (
            "request_prefill_kv_computed_tokens",
            "Histogram of new KV tokens computed during prefill (excluding cached tokens).",
            &sizes.computed_prompt_tokens,
        ),
        ("request_num_preemptions", "Histogram of the number of times a request was preempted.", &sizes.preemptions),
    ] {
        page.histogram(&format!("vllm:{name}"), help, &[], histogram);
    }
}

fn infos(page: &mut Page, stats: &Stats, adapters: &[AdapterSet]) {
    let max = stats.adapters.max.to_string();
    let sets: Vec<_> = adapters
        .iter()
        .map(|set| {
            let labels = [
                ("max_lora", &*max),
                ("running_lora_adapters", &*set.running),
                ("waiting_lora_adapters", &*set.waiting),
            ];
            (labels, set.seen)
        })
        .collect();
    let samples: Vec<_> = sets.iter().map(|(labels, seen)| (&labels[..], *seen)).collect();
    page.gauge("vllm:lora_requests_info", "Running stats on lora requests.", &samples);

    let cache = &stats.cache;
    let (block_size, blocks) = (cache.block_size.to_string(), cache.blocks.to_string());
    let tokens = (u64::from(cache.block_size) * u64::from(cache.blocks)).to_string();
    page.gauge(
        "vllm:cache_config_info",
        "Information of the LLMEngine CacheConfig",
        &[(
            &[
                ("block_size", &block_size),
                ("cache_dtype", "auto"),
                ("enable_prefix_caching", if cache.prefix_caching { "True" } else { "False" }),
                ("engine", "0"),
                ("gpu_memory_utilization", "0.92"),
                ("kv_cache_size_tokens", &tokens),
                ("num_cpu_blocks", "None"),
                ("num_gpu_blocks", &blocks),
                ("num_gpu_blocks_override", &blocks),
                ("prefix_caching_hash_algo", "sha256"),
                ("sliding_window", "None"),
            ],
            1.0,
        )],
    );
}

/// Seconds since 1970.
pub fn unix(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
