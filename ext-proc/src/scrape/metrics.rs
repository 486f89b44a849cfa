//! What Prometheus hears of the scraping: one row a page and reason, however many endpoints there are.

use crate::picker::Picker;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;

/// Seconds; the last is the default interval's three.
const BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 3.0];

/// What is counted of scrapes.
#[derive(Debug)]
pub struct ScrapeMetrics {
    failures: Family<[(&'static str, &'static str); 2], Counter>,
    /// How long good pages of metrics took, in seconds.
    pub(super) duration: Histogram,
}

#[derive(Debug)]
struct Endpoints(Arc<Picker>);

// === impl ScrapeMetrics ===

impl ScrapeMetrics {
    /// Registers what is counted of the picker's endpoints.
    pub fn register(registry: &mut Registry, picker: &Arc<Picker>) -> Arc<Self> {
        let metrics = Self { failures: Family::default(), duration: Histogram::new(BUCKETS) };
        let help = "Requests to engines for their metrics or models that told nothing";
        registry.register("kthena_router_scrape_failures", help, metrics.failures.clone());
        let help = "Time that engines took for their page of metrics";
        registry.register("kthena_router_scrape_duration_seconds", help, metrics.duration.clone());
        registry.register_collector(Box::new(Endpoints(Arc::clone(picker))));
        Arc::new(metrics)
    }

    pub(super) fn failed(&self, page: &'static str, reason: &'static str) {
        self.failures.get_or_create(&[("page", page), ("reason", reason)]).inc();
    }
}

// === impl Endpoints ===

impl Collector for Endpoints {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let targets = self.0.targets().current();
        let stale = targets.values().filter(|slot| slot.observed().stale).count();
        let mut gauge = |name: &str, help: &str, value: usize| {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
        };
        gauge("kthena_router_scrape_endpoints", "Endpoints whose engines are asked for their metrics", targets.len())?;
        let help = "Endpoints whose engines have not said anything for three intervals";
        gauge("kthena_router_scrape_stale_endpoints", help, stale)
    }
}
