//! `/debug/endpoints`: what the picker chooses from, and the load that it sees now.

use super::Debug;
use super::explain::signals;
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use std::sync::Arc;

/// `{"endpoints": [{target, address, pod, inFlight, signals}]}`, by target.
pub(super) async fn endpoints(State(debug): State<Arc<Debug>>) -> Json<Value> {
    let pools = debug.picker.endpoints();
    let all = pools.iter().flat_map(|(target, endpoints)| endpoints.iter().map(move |endpoint| (target, endpoint)));
    let shown = all.map(|(target, endpoint)| {
        json!({
            "target": target,
            "address": &*endpoint.address,
            "pod": &*endpoint.pod,
            "inFlight": endpoint.load.in_flight,
            "signals": endpoint.load.signals.as_ref().map(signals),
        })
    });
    Json(json!({ "endpoints": shown.collect::<Vec<_>>() }))
}
