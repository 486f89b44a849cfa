//! What the access log could not write or read, and so what the other figures may lack.

use super::family::{Source, single};
use crate::access_log::Counts;
use prometheus::proto::{MetricFamily, MetricType};
use std::sync::Arc;

/// The access log's counts, read when Prometheus asks.
pub(super) struct Losses(pub(super) Arc<Counts>);

impl Source for Losses {
    fn collect(&self) -> Vec<MetricFamily> {
        let counter = |name: &str, help: &str, count: u64| single(name, help, MetricType::COUNTER, count as f64);
        vec![
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
