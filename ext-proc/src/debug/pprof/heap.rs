//! What is allocated, by whom: jemalloc notes the stack of one allocation in so many bytes.

use super::super::Debug;
use super::{answer, busy, start};
use axum::extract::State;
use axum::response::Response;
use jemalloc_pprof::PROF_CTL;
use std::sync::Arc;

/// `GET /debug/pprof/heap`
pub(in super::super) async fn profile(State(debug): State<Arc<Debug>>) -> Response {
    let Some(_permit) = start(&debug) else { return busy() };
    let profile = tokio::task::spawn_blocking(dump).await;
    answer("heap.pb.gz", profile.unwrap_or_else(|reason| Err(reason.to_string())))
}

fn dump() -> Result<Vec<u8>, String> {
    let off = "heap profiling is off: start with _RJEM_MALLOC_CONF=prof:true,prof_active:true in the environment";
    let mut control = PROF_CTL.as_ref().ok_or(off)?.blocking_lock();
    if !control.activated() {
        return Err(off.to_owned());
    }
    control.dump_pprof().map_err(|reason| format!("no heap profile: {reason:#}"))
}
