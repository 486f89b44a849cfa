//! What families lost because they were full, and so what the other figures may lack.

use super::family::{Lost, Source, family, pair, sample};
use prometheus::proto::{MetricFamily, MetricType};
use std::sync::Arc;

/// The families that can be full, asked when Prometheus asks.
pub(super) struct Full(pub(super) Vec<Arc<dyn Source>>);

impl Source for Full {
    fn collect(&self) -> Vec<MetricFamily> {
        let lost: Vec<_> = self.0.iter().filter_map(|source| source.lost()).collect();
        let counter = |name: &str, help: &str, count: fn(&Lost) -> u64| {
            let kind = MetricType::COUNTER;
            let row = |lost: &Lost| sample(vec![pair("family", lost.family)], kind, count(lost) as f64);
            family(name, help, kind, lost.iter().map(row).collect())
        };
        vec![
            counter(
                "kthena_router_metric_series_dropped_total",
                "Series that were idle for ten minutes and gave way to others, as their family was full",
                |lost| lost.dropped,
            ),
            counter(
                "kthena_router_metric_series_merged_total",
                "Times that something was counted in a series that says `other`, as its family was full of busy ones",
                |lost| lost.merged,
            ),
        ]
    }
}
