//! `/metrics`: names, labels, help texts and buckets of SGLang's `metrics_collector.py`. Its page is
//! put together from several processes' files, so counters have no `_created` twin.

use super::super::page::Page;
use crate::engine::{Bounds, Stats};

/// The whole page; `model` is the served name.
///
/// The engine does not tell streams from whole answers, so all stand under `is_streaming="true"`.
pub fn page(model: &str, context: u32, stats: &Stats) -> String {
    let mut page = Page::new(None);
    page.labelled(&[
        ("engine_type", "unified"),
        ("model_name", model),
        ("moe_ep_rank", "0"),
        ("pp_rank", "0"),
        ("tp_rank", "0"),
    ]);
    scheduler(&mut page, context, stats);
    page.labelled(&[("engine_type", "unified"), ("model_name", model)]);
    requests(&mut page, stats);
    page.finish()
}

/// SGLang's buckets; its queue time has others, which are not kept apart here.
pub fn bounds() -> Bounds {
    let token_times = [
        0.002, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.025, 0.03, 0.035, 0.04, 0.06, 0.08, 0.1, 0.2, 0.4, 0.6, 0.8,
        1.0, 2.0, 4.0, 6.0, 8.0,
    ];
    let times = [0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 2.0, 4.0, 6.0, 8.0, 10.0, 20.0, 40.0, 60.0, 80.0, 100.0, 200.0, 400.0];
    Bounds {
        time_to_first_token: times.to_vec(),
        inter_token: token_times.to_vec(),
        time_per_output_token: token_times.to_vec(),
        request_time: times.into_iter().chain([600.0, 1200.0, 1800.0, 2400.0]).collect(),
        tokens: [
            100, 300, 500, 700, 1_000, 1_500, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000, 8_000, 9_000, 10_000, 12_500,
            15_000, 17_500, 20_000, 22_500, 25_000, 27_500, 30_000, 35_000, 40_000, 60_000, 80_000, 100_000, 200_000,
            300_000, 400_000, 600_000, 800_000, 1_000_000, 1_100_000,
        ]
        .map(f64::from)
        .to_vec(),
    }
}

fn scheduler(page: &mut Page, context: u32, stats: &Stats) {
    let (cache, totals, adapters) = (&stats.cache, &stats.totals, &stats.adapters);
    let capacity = f64::from(cache.block_size) * f64::from(cache.blocks);
    let used = (stats.kv_cache_usage * capacity).round();
    let hit_rate = totals.prefix_hits as f64 / totals.prefix_queries.max(1) as f64;
    let (slots, taken) = (f64::from(adapters.max), adapters.running.len() as f64);
    for (name, help, value) in [
        ("num_running_reqs", "The number of running requests.", stats.running as f64),
        ("num_queue_reqs", "The number of requests in the waiting queue.", stats.waiting.total() as f64),
        ("num_grammar_queue_reqs", "The number of requests in the grammar waiting queue.", 0.0),
        ("cache_hit_rate", "The prefix cache hit rate.", hit_rate),
        ("token_usage", "The token usage.", stats.kv_cache_usage),
        ("full_token_usage", "The token usage for full attention layers.", stats.kv_cache_usage),
        ("num_used_tokens", "The number of used tokens.", used),
        ("kv_available_tokens", "Number of free token slots in the KV cache pool.", capacity - used),
        ("kv_used_tokens", "Number of actively used token slots in the KV cache pool.", used),
        ("num_retracted_reqs", "The number of retracted requests.", totals.preemptions as f64),
        ("lora_pool_slots_used", "Number of LoRA adapter slots currently occupied in GPU memory.", taken),
        ("lora_pool_slots_total", "Total number of LoRA adapter slots available (max_loras_per_batch).", slots),
        (
            "lora_pool_utilization",
            "LoRA pool utilization ratio (used/total). 1.0 means pool is full.",
            taken / slots.max(1.0),
        ),
        ("max_total_num_tokens", "Maximum total number of tokens in the KV cache pool.", capacity),
        ("page_size", "KV cache page size in tokens.", f64::from(cache.block_size)),
        ("num_pages", "Number of KV cache pages.", f64::from(cache.blocks)),
        ("context_len", "Maximum context length.", f64::from(context)),
    ] {
        page.gauge(&format!("sglang:{name}"), help, &[(&[], value)]);
    }
    let help = "Histogram of queueing time in seconds.";
    page.histogram("sglang:queue_time_seconds", help, &[], &stats.latencies.queue);
}

fn requests(page: &mut Page, stats: &Stats) {
    let (totals, latencies, sizes) = (&stats.totals, &stats.latencies, &stats.sizes);
    let streaming: &[(&str, &str)] = &[("is_streaming", "true")];
    for (name, help, labels, value) in [
        ("prompt_tokens", "Number of prefill tokens processed.", streaming, totals.prompt_tokens),
        ("generation_tokens", "Number of generation tokens processed.", streaming, totals.generation_tokens),
        (
            "cached_tokens",
            "Number of cached prompt tokens by source (device/host/storage).",
            &[("cache_source", "device")],
            totals.prompt_tokens_cached,
        ),
        ("num_requests", "Number of requests processed.", streaming, totals.ended.length),
        ("num_aborted_requests", "Number of requests aborted.", &[], totals.ended.abort),
    ] {
        page.counter(&format!("sglang:{name}"), help, &[(labels, value)]);
    }
    let tpot = "Per-request TPOT in seconds: (finished_time - first_token_time) / (completion_tokens - 1).";
    for (name, help, labels, histogram) in [
        ("prompt_tokens_histogram", "Histogram of prompt token length.", &[][..], &sizes.prompt_tokens),
        ("generation_tokens_histogram", "Histogram of generation token length.", &[], &sizes.generation_tokens),
        (
            "time_to_first_token_seconds",
            "Histogram of time to first token in seconds.",
            streaming,
            &latencies.time_to_first_token,
        ),
        ("inter_token_latency_seconds", "Histogram of inter-token latency in seconds.", &[], &latencies.inter_token),
        ("request_time_per_output_token_seconds", tpot, streaming, &latencies.time_per_output_token),
        (
            "e2e_request_latency_seconds",
            "Histogram of End-to-end request latency in seconds",
            streaming,
            &latencies.end_to_end,
        ),
    ] {
        page.histogram(&format!("sglang:{name}"), help, labels, histogram);
    }
}
