//! What the access log could not write or read, and so what the other figures may lack; and what it says of bounds.

use super::family::{Source, family, pair, sample, single};
use crate::access_log::Counts;
use prometheus::proto::{MetricFamily, MetricType};
use std::sync::Arc;

/// The access log's counts, read when Prometheus asks.
pub(super) struct Losses(pub(super) Arc<Counts>);

impl Source for Losses {
    fn collect(&self) -> Vec<MetricFamily> {
        let counter = |name: &str, help: &str, count: u64| single(name, help, MetricType::COUNTER, count as f64);
        let kind = MetricType::COUNTER;
        let bounds =
            self.0.bounds().map(|(bound, count)| sample(vec![pair("reason", bound.name())], kind, count as f64));
        let help = "Requests that Envoy or the filter ended because a bound was exceeded";
        vec![
            family("kthena_router_bound_exceeded_total", help, kind, bounds.collect()),
            counter(
                "kthena_router_access_log_lost_lines_total",
                "Lines that were not written: the output failed or did not keep up",
                self.0.lost_lines(),
            ),
            counter(
                "kthena_router_access_log_unreadable_total",
                "Requests not counted elsewhere: what the filter said of them could not be read",
                self.0.unreadable_facts(),
            ),
        ]
    }
}
