//! The picker's own counts, read when Prometheus asks.

use super::family::{Source, family, pair, sample, single};
use crate::picker::Picker;
use prometheus::proto::{MetricFamily, MetricType};
use std::sync::Arc;

/// Requests in flight, in all and by endpoint.
pub(super) struct InFlight(pub(super) Arc<Picker>);

impl Source for InFlight {
    fn collect(&self) -> Vec<MetricFamily> {
        let (by_address, total) = self.0.in_flight();
        let kind = MetricType::GAUGE;
        let endpoints = by_address
            .iter()
            .map(|(address, count)| sample(vec![pair("endpoint", address)], kind, f64::from(*count)))
            .collect();
        let help = "Requests picked for an endpoint and not ended";
        vec![
            single("kthena_router_in_flight_requests", "Requests picked for and not ended", kind, total as f64),
            family("kthena_router_endpoint_in_flight_requests", help, kind, endpoints),
            family(
                "kthena_router_endpoint_ejected",
                "1 for an endpoint that failed lately and is left out while enough others of its ModelServer are there",
                kind,
                self.0
                    .ejected()
                    .iter()
                    .map(|(address, _)| sample(vec![pair("endpoint", address)], kind, 1.0))
                    .collect(),
            ),
            single(
                "kthena_router_prefix_cache_entries",
                "Hashes of prompts that are known to be at some endpoint, counted at each",
                kind,
                self.0.prefix_entries() as f64,
            ),
        ]
    }
}
