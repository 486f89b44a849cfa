//! The metrics that are read, by engine; checked against vLLM 0.32 and SGLang 0.4.0, 0.4.6, 0.5.2 and 0.5.23.

use super::EngineType;

/// What a series tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Running,
    Waiting,
    Usage,
    Capacity,
    SleepState,
    Adapters,
    TtftSum,
    TtftCount,
    TpotSum,
    TpotCount,
}

/// A name without the engine's prefix, what it tells, and its place among the names for that: where a page
/// has several, the lowest counts and they are never added up.
type Name = (&'static str, Field, u8);

/// `gpu_cache_usage_perc` is what `kv_cache_usage_perc` was called until 0.10; in between both are there.
/// `time_per_output_token_seconds` became `inter_token_latency_seconds`; the mean per request comes last,
/// since a long answer counts there no more than a short one.
const VLLM: &[Name] = &[
    ("num_requests_running", Field::Running, 0),
    ("num_requests_waiting", Field::Waiting, 0),
    ("kv_cache_usage_perc", Field::Usage, 0),
    ("gpu_cache_usage_perc", Field::Usage, 1),
    ("cache_config_info", Field::Capacity, 0),
    ("engine_sleep_state", Field::SleepState, 0),
    ("lora_requests_info", Field::Adapters, 0),
    ("time_to_first_token_seconds_sum", Field::TtftSum, 0),
    ("time_to_first_token_seconds_count", Field::TtftCount, 0),
    ("inter_token_latency_seconds_sum", Field::TpotSum, 0),
    ("inter_token_latency_seconds_count", Field::TpotCount, 0),
    ("time_per_output_token_seconds_sum", Field::TpotSum, 1),
    ("time_per_output_token_seconds_count", Field::TpotCount, 1),
    ("request_time_per_output_token_seconds_sum", Field::TpotSum, 2),
    ("request_time_per_output_token_seconds_count", Field::TpotCount, 2),
];

const SGLANG: &[Name] = &[
    ("num_running_reqs", Field::Running, 0),
    ("num_queue_reqs", Field::Waiting, 0),
    ("token_usage", Field::Usage, 0),
    ("max_total_num_tokens", Field::Capacity, 0),
    ("time_to_first_token_seconds_sum", Field::TtftSum, 0),
    ("time_to_first_token_seconds_count", Field::TtftCount, 0),
    ("inter_token_latency_seconds_sum", Field::TpotSum, 0),
    ("inter_token_latency_seconds_count", Field::TpotCount, 0),
    ("time_per_output_token_seconds_sum", Field::TpotSum, 1),
    ("time_per_output_token_seconds_count", Field::TpotCount, 1),
    ("request_time_per_output_token_seconds_sum", Field::TpotSum, 2),
    ("request_time_per_output_token_seconds_count", Field::TpotCount, 2),
];

/// What every metric of the engine begins with.
pub(super) const fn prefix(engine: EngineType) -> &'static [u8] {
    match engine {
        EngineType::Vllm => b"vllm:",
        EngineType::Sglang => b"sglang:",
    }
}

/// What a name tells, given without its prefix. Whole names only: `x_created` is not `x`.
pub(super) fn field(engine: EngineType, name: &[u8]) -> Option<(Field, u8)> {
    let names = match engine {
        EngineType::Vllm => VLLM,
        EngineType::Sglang => SGLANG,
    };
    names.iter().find(|(known, ..)| known.as_bytes() == name).map(|&(_, field, place)| (field, place))
}
