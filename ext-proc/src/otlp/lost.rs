//! What did not reach the collector: counted always, told once in a while.

use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How often it is told that something is lost.
const PAUSE: Duration = Duration::from_secs(60);

/// Losses since the start.
#[derive(Debug)]
pub struct Lost {
    collector: String,
    spans: AtomicU64,
    metrics: AtomicU64,
    told: Mutex<Option<Instant>>,
}

// === impl Lost ===

impl Lost {
    pub(super) fn new(collector: String) -> Self {
        Self { collector, spans: AtomicU64::new(0), metrics: AtomicU64::new(0), told: Mutex::new(None) }
    }

    /// Spans that found no room, or that the collector did not take.
    pub fn spans(&self) -> u64 {
        self.spans.load(Ordering::Relaxed)
    }

    /// Exports of all metrics that the collector did not take. The next one has what they had.
    pub fn metrics(&self) -> u64 {
        self.metrics.load(Ordering::Relaxed)
    }

    pub(super) fn add_spans(&self, spans: usize, why: &str) {
        self.spans.fetch_add(spans as u64, Ordering::Relaxed);
        self.tell(Instant::now(), why);
    }

    pub(super) fn add_metrics(&self, why: &str) {
        self.metrics.fetch_add(1, Ordering::Relaxed);
        self.tell(Instant::now(), why);
    }

    fn tell(&self, now: Instant, why: &str) {
        if self.is_due(now) {
            let (collector, spans, metrics) = (&self.collector, self.spans(), self.metrics());
            tracing::warn!(
                "OTLP collector {collector}: {why}; {spans} spans and {metrics} exports of metrics lost since the start \
                 (requests are not affected; told at most once a minute)"
            );
        }
    }

    fn is_due(&self, now: Instant) -> bool {
        // Whoever holds it is telling.
        let Ok(mut told) = self.told.try_lock() else { return false };
        let due = told.is_none_or(|told| now.saturating_duration_since(told) >= PAUSE);
        if due {
            *told = Some(now);
        }
        due
    }

    #[cfg(test)]
    fn told(&self) -> bool {
        self.told.lock().unwrap().is_some()
    }
}

/// Hands metrics on, and counts what is not taken.
#[derive(Debug)]
pub(super) struct CountedMetrics<E> {
    exporter: E,
    lost: Arc<Lost>,
}

// === impl CountedMetrics ===

impl<E> CountedMetrics<E> {
    pub(super) fn new(exporter: E, lost: Arc<Lost>) -> Self {
        Self { exporter, lost }
    }
}

impl<E: PushMetricExporter> PushMetricExporter for CountedMetrics<E> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let done = self.exporter.export(metrics).await;
        if let Err(error) = &done {
            self.lost.add_metrics(&error.to_string());
        }
        done
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.exporter.temporality()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_counted_each_and_told_once_a_minute() {
        let lost = Lost::new("http://c:4317".to_owned());
        assert!(!lost.told());
        lost.add_spans(3, "away");
        lost.add_metrics("away");
        lost.add_spans(4, "away");
        assert_eq!((lost.spans(), lost.metrics(), lost.told()), (7, 1, true));
        let now = Instant::now();
        assert!(!lost.is_due(now));
        assert!(lost.is_due(now + PAUSE));
        assert!(!lost.is_due(now + PAUSE + Duration::from_secs(59)));
    }
}
