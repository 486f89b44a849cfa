//! What is counted of scraping engines: one row a page and reason, however many endpoints there are.

use super::family::{Family, Source, single};
use super::value::{Counter, Histogram};
use crate::picker::Picker;
use prometheus::proto::{MetricFamily, MetricType};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Seconds; the last is the default interval's three.
const DURATIONS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 3.0];

/// What is counted of scrapes.
#[derive(Debug)]
pub struct ScrapeMetrics {
    failures: Arc<Family<Counter, 2>>,
    duration: Arc<Family<Histogram, 0>>,
}

/// Who is scraped, and who does not answer.
pub(super) struct Scraped(pub(super) Arc<Picker>);

// === impl ScrapeMetrics ===

impl ScrapeMetrics {
    pub(super) fn new() -> Self {
        Self {
            failures: Family::new(
                "kthena_router_scrape_failures_total",
                "Requests to engines for their metrics or models that told nothing",
                ["page", "reason"],
            ),
            duration: Family::bounded(
                "kthena_router_scrape_duration_seconds",
                "Time that engines took for their page of metrics",
                [],
                &DURATIONS,
            ),
        }
    }

    pub(super) fn sources(&self) -> [Arc<dyn Source>; 2] {
        [Arc::clone(&self.failures) as _, Arc::clone(&self.duration) as _]
    }

    /// Counts a page that told nothing.
    pub(crate) fn failed(&self, page: &'static str, reason: &'static str) {
        self.failures.at([page, reason], Instant::now()).add(1);
    }

    /// Counts a good page of metrics, and how long it took.
    pub(crate) fn took(&self, duration: Duration) {
        self.duration.at([], Instant::now()).observe(duration.as_secs_f64());
    }
}

impl Source for Scraped {
    fn collect(&self) -> Vec<MetricFamily> {
        let targets = self.0.targets().current();
        let stale = targets.values().filter(|slot| slot.observed().stale).count();
        let gauge = |name: &str, help: &str, value: usize| single(name, help, MetricType::GAUGE, value as f64);
        let help = "Endpoints whose engines are asked for their metrics";
        let stale_help = "Endpoints whose engines have not said anything for three intervals";
        vec![
            gauge("kthena_router_scrape_endpoints", help, targets.len()),
            gauge("kthena_router_scrape_stale_endpoints", stale_help, stale),
        ]
    }
}
