//! What finished requests leave behind: counts, durations, tokens, and the pace of streams.

use super::family::{Family, Source};
use super::labels::{Labels, status};
use super::value::{Counter, Histogram};
use kthena_core::access_log::{Chunks, Entry};
use std::sync::Arc;
use std::time::Instant;

/// Upstream's, in seconds.
const DURATIONS: [f64; 13] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// vLLM's `vllm:time_to_first_token_seconds`, so that both sides of the router compare bucket by bucket.
const FIRST_TOKENS: [f64; 22] = [
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0,
    160.0, 640.0, 2560.0,
];
/// vLLM's `vllm:request_time_per_output_token_seconds`.
const OUTPUT_TOKENS: [f64; 19] =
    [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0];
/// [`Chunks::BOUNDS`] in seconds.
const GAPS: [f64; Chunks::BOUNDS.len()] = {
    let mut seconds = [0.0; Chunks::BOUNDS.len()];
    let mut i = 0;
    while i < seconds.len() {
        seconds[i] = Chunks::BOUNDS[i] as f64 / 1000.0;
        i += 1;
    }
    seconds
};

const BACKEND: [&str; 2] = ["backend_type", "backend_name"];
const STREAM: [&str; 4] = ["model", "path", "backend_type", "backend_name"];

/// Families that are fed by [`Entry`]s.
#[derive(Debug)]
pub(super) struct Requests {
    total: Arc<Family<Counter, 8>>,
    duration: Arc<Family<Histogram, 7>>,
    tokens: Arc<Family<Counter, 7>>,
    first_token: Arc<Family<Histogram, 4>>,
    per_output_token: Arc<Family<Histogram, 4>>,
    gaps: Arc<Family<Histogram, 4>>,
    retries: Arc<Family<Counter, 2>>,
    rationed: Arc<Family<Counter, 2>>,
}

// === impl Requests ===

impl Requests {
    pub(super) fn new() -> Self {
        Self {
            total: Family::new(
                "kthena_router_requests_total",
                "Requests that have ended and whose model was read",
                [
                    "model",
                    "path",
                    "status_code",
                    "error_type",
                    "model_route",
                    "backend_type",
                    "backend_name",
                    "upstream_model",
                ],
            ),
            duration: Family::bounded(
                "kthena_router_request_duration_seconds",
                "From the client's first byte to the last one that it got",
                ["model", "path", "status_code", "model_route", "backend_type", "backend_name", "upstream_model"],
                &DURATIONS,
            ),
            tokens: Family::new(
                "kthena_router_tokens_total",
                "Tokens as the engine reported them",
                ["model", "path", "token_type", "model_route", "backend_type", "backend_name", "upstream_model"],
            ),
            first_token: Family::bounded(
                "kthena_router_time_to_first_token_seconds",
                "From the client's first byte to the first chunk with content of a streamed answer",
                STREAM,
                &FIRST_TOKENS,
            ),
            per_output_token: Family::bounded(
                "kthena_router_time_per_output_token_seconds",
                "Mean time of each output token after the first, one value for a streamed answer",
                STREAM,
                &OUTPUT_TOKENS,
            ),
            gaps: Family::bounded(
                "kthena_router_inter_chunk_seconds",
                "Gaps between the chunks of streamed answers",
                STREAM,
                &GAPS,
            ),
            retries: Family::new("kthena_router_retries_total", "Tries after the first one of a request", BACKEND),
            rationed: Family::new(
                "kthena_router_retry_budget_spent_total",
                "Requests whose retries were withheld, as their ModelServer's budget was spent",
                BACKEND,
            ),
        }
    }

    pub(super) fn sources(&self) -> Vec<Arc<dyn Source>> {
        vec![
            Arc::clone(&self.total) as _,
            Arc::clone(&self.duration) as _,
            Arc::clone(&self.tokens) as _,
            Arc::clone(&self.first_token) as _,
            Arc::clone(&self.per_output_token) as _,
            Arc::clone(&self.gaps) as _,
            Arc::clone(&self.retries) as _,
            Arc::clone(&self.rationed) as _,
        ]
    }

    pub(super) fn observe(&self, entry: &Entry, now: Instant) {
        // As upstream: `/v1/models`, paths of nobody and bodies that cannot be read are no requests for a model.
        if entry.model.is_empty() {
            return;
        }
        let status = status(entry.status);
        let Labels { model, path, status, error, route, backend_type, backend, upstream_model } =
            Labels::of(entry, &status);
        let labels = [model, path, status, error, route, backend_type, backend, upstream_model];
        self.total.at(labels, now).add(1);
        let third = |third| [model, path, third, route, backend_type, backend, upstream_model];
        self.duration.at(third(status), now).observe(entry.phases.total.as_secs_f64());
        if let Some(usage) = entry.usage {
            self.tokens.at(third("input"), now).add(usage.input);
            self.tokens.at(third("output"), now).add(usage.output);
        }
        // From the first request on, so that a rate can be taken of what is rare.
        if entry.bound.is_some() {
            let retries = entry.upstream_attempts.saturating_sub(1);
            self.retries.at([backend_type, backend], now).add(retries.into());
            self.rationed.at([backend_type, backend], now).add(entry.rationed.into());
        }
        if let Some(chunks) = &entry.chunks {
            let labels = [model, path, backend_type, backend];
            self.first_token.at(labels, now).observe(chunks.first.as_secs_f64());
            self.gaps.at(labels, now).merge(&chunks.gaps, chunks.span.as_secs_f64());
            // The first token is in the time to first token: with one token there is no pace.
            let after_first = entry.usage.map_or(0, |usage| usage.output.saturating_sub(1));
            if after_first > 0 {
                let pace = chunks.span.as_secs_f64() / after_first as f64;
                self.per_output_token.at(labels, now).observe(pace);
            }
        }
    }
}
