//! A page of metrics of the size and shape that vLLM 0.32 has for one rank: 63 KB, 700 lines.

use std::fmt::Write;

const LABELS: &str = "engine=\"0\",model_name=\"tiny\"";

/// Seconds, as vLLM buckets times to the first token.
const SECONDS: [f64; 22] = [
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0,
    160.0, 640.0, 2560.0,
];

const COUNTERS: [&str; 14] = [
    "num_preemptions",
    "prompt_tokens",
    "prompt_tokens_cached",
    "generation_tokens",
    "prefix_cache_queries",
    "prefix_cache_hits",
    "external_prefix_cache_queries",
    "external_prefix_cache_hits",
    "mm_cache_queries",
    "mm_cache_hits",
    "request_success_stop",
    "request_success_length",
    "request_success_abort",
    "request_success_error",
];

const HISTOGRAMS: [&str; 24] = [
    "time_to_first_token_seconds",
    "inter_token_latency_seconds",
    "request_time_per_output_token_seconds",
    "e2e_request_latency_seconds",
    "request_queue_time_seconds",
    "request_inference_time_seconds",
    "request_prefill_time_seconds",
    "request_decode_time_seconds",
    "iteration_tokens_total",
    "request_prompt_tokens",
    "request_generation_tokens",
    "request_max_num_generation_tokens",
    "request_params_n",
    "request_params_max_tokens",
    "request_num_preemptions",
    "request_prefill_kv_computed_tokens",
    "kv_block_lifetime_seconds",
    "kv_block_idle_before_evict_seconds",
    "kv_block_reuse_gap_seconds",
    "http_request_duration_seconds",
    "http_request_duration_highr_seconds",
    "http_request_size_bytes",
    "http_response_size_bytes",
    "sleep_mode_operation_duration_seconds",
];

/// The page of an engine that is awake and has these requests.
pub fn vllm(running: u32, waiting: u32) -> String {
    let mut page = String::with_capacity(64 << 10);
    // Writing into a String does not fail.
    let _ = write(&mut page, running, waiting);
    page
}

fn write(page: &mut String, running: u32, waiting: u32) -> std::fmt::Result {
    for (name, value) in [("num_requests_running", running), ("num_requests_waiting", waiting)] {
        writeln!(page, "# HELP vllm:{name} Number of requests.\n# TYPE vllm:{name} gauge")?;
        writeln!(page, "vllm:{name}{{{LABELS}}} {value}.0")?;
    }
    for (state, value) in [("awake", 1), ("weights_offloaded", 0), ("discard_all", 0)] {
        writeln!(page, "vllm:engine_sleep_state{{{LABELS},sleep_state=\"{state}\"}} {value}.0")?;
    }
    writeln!(page, "# TYPE vllm:kv_cache_usage_perc gauge\nvllm:kv_cache_usage_perc{{{LABELS}}} 0.25")?;
    writeln!(
        page,
        "vllm:lora_requests_info{{max_lora=\"2\",running_lora_adapters=\"\",waiting_lora_adapters=\"\"}} 1.0"
    )?;
    for name in COUNTERS {
        writeln!(page, "# HELP vllm:{name}_total Counted since the start.\n# TYPE vllm:{name}_total counter")?;
        writeln!(page, "vllm:{name}_total{{{LABELS}}} 12345.0")?;
        writeln!(page, "# TYPE vllm:{name}_created gauge\nvllm:{name}_created{{{LABELS}}} 1.795254251e+09")?;
    }
    for name in HISTOGRAMS {
        writeln!(page, "# HELP vllm:{name} Histogram of what is observed.\n# TYPE vllm:{name} histogram")?;
        for bound in SECONDS {
            writeln!(page, "vllm:{name}_bucket{{engine=\"0\",le=\"{bound:?}\",model_name=\"tiny\"}} 17.0")?;
        }
        writeln!(page, "vllm:{name}_bucket{{engine=\"0\",le=\"+Inf\",model_name=\"tiny\"}} 17.0")?;
        writeln!(page, "vllm:{name}_count{{{LABELS}}} 17.0\nvllm:{name}_sum{{{LABELS}}} 4.25")?;
        writeln!(page, "# TYPE vllm:{name}_created gauge\nvllm:{name}_created{{{LABELS}}} 1.795254251e+09")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_the_size_of_a_real_one() {
        let page = vllm(1, 2);
        assert!((58_000..68_000).contains(&page.len()), "{} bytes, {} lines", page.len(), page.lines().count());
    }
}
