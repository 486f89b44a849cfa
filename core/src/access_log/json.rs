//! A line of JSON, as upstream writes it.

use super::Entry;
use super::text::{bare, timestamp};
use serde::Serialize;
use std::time::Duration;

/// The keys in upstream's order. What is absent, empty or 0 is left out, but for the model's name and the four
/// durations, which are whole milliseconds.
#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    method: &'a str,
    path: &'a str,
    protocol: &'a str,
    status_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Error<'a>>,
    model_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_route: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_server: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    selected_pod: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    request_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    trace_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    backend_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backend_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_status_code: Option<u16>,
    #[serde(skip_serializing_if = "is_zero")]
    upstream_attempts: u64,
    #[serde(skip_serializing_if = "is_zero")]
    input_tokens: u64,
    #[serde(skip_serializing_if = "is_zero")]
    output_tokens: u64,
    duration_total: u64,
    duration_request_processing: u64,
    duration_upstream_processing: u64,
    duration_response_processing: u64,
}

#[derive(Serialize)]
struct Error<'a> {
    r#type: &'a str,
    message: &'a str,
}

/// The entry as one JSON object, without an end of line in it or after it.
pub fn json(entry: &Entry) -> String {
    let usage = entry.usage.unwrap_or_default();
    let bound = entry.bound.as_ref();
    let line = Line {
        timestamp: timestamp(entry.start),
        method: &entry.method,
        path: &entry.path,
        protocol: entry.protocol,
        status_code: entry.status,
        error: entry.failure.as_ref().map(|failure| Error { r#type: failure.kind, message: &failure.message }),
        model_name: &entry.model,
        model_route: entry.model_route.as_deref(),
        model_server: entry.model_server(),
        selected_pod: entry.pod.as_deref().map(bare),
        request_id: &entry.request_id,
        trace_id: &entry.trace_id,
        backend_type: bound.map(|bound| bound.backend_type),
        backend_name: bound.map(|bound| bound.backend.as_str()),
        upstream_model: bound.map(|bound| bound.upstream_model.as_str()),
        upstream_status_code: entry.upstream_status,
        upstream_attempts: entry.upstream_attempts.into(),
        input_tokens: usage.input,
        output_tokens: usage.output,
        duration_total: milliseconds(entry.phases.total),
        duration_request_processing: milliseconds(entry.phases.request),
        duration_upstream_processing: milliseconds(entry.phases.upstream),
        duration_response_processing: milliseconds(entry.phases.response),
    };
    // Strings and numbers always serialise.
    serde_json::to_string(&line).unwrap_or_default()
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
