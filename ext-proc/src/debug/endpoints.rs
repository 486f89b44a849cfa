//! `/debug/endpoints`: what the picker chooses from, and the load that it sees now.

use super::explain::{Said, signals};
use super::{Debug, written};
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use std::sync::Arc;

#[derive(Serialize)]
struct Endpoints<'a> {
    endpoints: Vec<Shown<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    target: &'a str,
    address: &'a str,
    pod: &'a str,
    in_flight: u32,
    signals: Option<Said>,
    /// For how long it is left out, as it failed lately.
    ejected_for_seconds: Option<f64>,
}

/// `{"endpoints": [{target, address, pod, inFlight, signals, ejectedForSeconds}]}`, by target.
pub(super) async fn endpoints(State(debug): State<Arc<Debug>>) -> Response {
    written(move || {
        let pools = debug.picker.endpoints();
        let all = pools.iter().flat_map(|(target, endpoints)| endpoints.iter().map(move |endpoint| (target, endpoint)));
        let endpoints = all.map(|(target, endpoint)| Shown {
            target,
            address: &endpoint.address,
            pod: &endpoint.pod,
            in_flight: endpoint.load.in_flight,
            signals: endpoint.load.signals.as_ref().map(signals),
            ejected_for_seconds: endpoint.ejected.map(|left| left.as_secs_f64()),
        });
        serde_json::to_vec(&Endpoints { endpoints: endpoints.collect() })
    })
    .await
}
