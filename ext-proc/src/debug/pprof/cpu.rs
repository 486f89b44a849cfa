//! Where CPU time goes: a timer of CPU time interrupts whoever runs, and its stack is noted.

use super::super::{Debug, error};
use super::{answer, busy, start};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use jemalloc_pprof::{Mapping, StackProfile, WeightedStack};
use pprof::{ProfilerGuard, ProfilerGuardBuilder};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// Samples a second of CPU time.
const FREQUENCY: i32 = 100;

/// What a sample stands for, in nanoseconds of CPU time.
const NANOSECONDS: f64 = 1e9 / FREQUENCY as f64;

/// What `go tool pprof` asks for when it is given no other.
const DEFAULT_SECONDS: u64 = 30;
const MOST_SECONDS: u64 = 60;

/// `?seconds=N`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Asked {
    #[serde(default = "default_seconds")]
    seconds: u64,
}

fn default_seconds() -> u64 {
    DEFAULT_SECONDS
}

/// `GET /debug/pprof/profile?seconds=N`. It ends early with the connection.
pub(in super::super) async fn profile(
    State(debug): State<Arc<Debug>>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let seconds = match asked {
        Ok(Query(Asked { seconds })) if (1..=MOST_SECONDS).contains(&seconds) => seconds,
        _ => return error(StatusCode::BAD_REQUEST, format!("seconds: expected a number from 1 to {MOST_SECONDS}")),
    };
    let Some(_permit) = start(&debug) else { return busy() };
    let profiler = match ProfilerGuardBuilder::default().frequency(FREQUENCY).build() {
        Ok(profiler) => profiler,
        Err(reason) => return answer("profile.pb.gz", Err(format!("the profiler does not start: {reason}"))),
    };
    sleep(Duration::from_secs(seconds)).await;
    // Names are looked up in the debug information of the binary, which takes a while.
    let profile = tokio::task::spawn_blocking(move || encode(profiler)).await;
    answer("profile.pb.gz", profile.unwrap_or_else(|reason| Err(reason.to_string())))
}

fn encode(profiler: ProfilerGuard<'_>) -> Result<Vec<u8>, String> {
    let report = profiler.report().build_unresolved().map_err(|reason| reason.to_string())?;
    drop(profiler);
    let mut profile = StackProfile::default();
    for mapping in mappings::MAPPINGS.iter().flatten() {
        profile.push_mapping(Mapping::clone(mapping));
    }
    for (sampled, count) in &report.data {
        // The encoder wants the outermost call first.
        let addrs = sampled.frames.iter().rev().map(|frame| frame.ip).collect();
        profile.push_stack(WeightedStack { addrs, weight: *count as f64 * NANOSECONDS }, None);
    }
    Ok(profile.to_pprof(("cpu", "nanoseconds"), ("cpu", "nanoseconds"), None))
}
