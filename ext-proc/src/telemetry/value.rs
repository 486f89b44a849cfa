//! What a series holds: a counter, a gauge, a histogram.

use prometheus::proto::{self, Bucket, Metric, MetricType};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A series' value.
pub(super) trait Value: Send + Sync {
    /// What `# TYPE` says.
    const KIND: MetricType;

    /// A value that nothing was counted in. Only histograms look at the bounds.
    fn new(bounds: &'static [f64]) -> Self;

    /// Fills in the sample.
    fn write(&self, metric: &mut Metric);

    /// Whether it must stay, whoever is gone: a gauge that someone will count down.
    fn busy(&self) -> bool {
        false
    }
}

/// Only grows.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

/// Goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

/// Observations by upper bound.
#[derive(Debug)]
pub(super) struct Histogram {
    bounds: &'static [f64],
    counts: Mutex<Counts>,
}

#[derive(Debug, Clone)]
struct Counts {
    /// One for each bound, and one for what is beyond.
    buckets: Vec<u64>,
    sum: f64,
}

// === impl Counter ===

impl Counter {
    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Value for Counter {
    const KIND: MetricType = MetricType::COUNTER;

    fn new(_: &'static [f64]) -> Self {
        Self::default()
    }

    fn write(&self, metric: &mut Metric) {
        let mut counter = proto::Counter::default();
        counter.set_value(self.get() as f64);
        metric.set_counter(counter);
    }
}

// === impl Gauge ===

impl Gauge {
    /// Replaces the value.
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The value.
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, change: i64) {
        self.0.fetch_add(change, Ordering::Relaxed);
    }
}

impl Value for Gauge {
    const KIND: MetricType = MetricType::GAUGE;

    fn new(_: &'static [f64]) -> Self {
        Self::default()
    }

    fn write(&self, metric: &mut Metric) {
        let mut gauge = proto::Gauge::default();
        gauge.set_value(self.get() as f64);
        metric.set_gauge(gauge);
    }

    fn busy(&self) -> bool {
        self.get() != 0
    }
}

// === impl Histogram ===

impl Histogram {
    /// Counts one value.
    pub(super) fn observe(&self, value: f64) {
        let at = self.bounds.partition_point(|bound| *bound < value);
        let mut counts = self.lock();
        if let Some(bucket) = counts.buckets.get_mut(at) {
            *bucket += 1;
        }
        counts.sum += value;
    }

    /// Counts values that were sorted into the same bounds elsewhere.
    pub(super) fn merge(&self, buckets: &[u32], sum: f64) {
        let mut counts = self.lock();
        for (bucket, more) in counts.buckets.iter_mut().zip(buckets) {
            *bucket += u64::from(*more);
        }
        counts.sum += sum;
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Value for Histogram {
    const KIND: MetricType = MetricType::HISTOGRAM;

    fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: Mutex::new(Counts { buckets: vec![0; bounds.len() + 1], sum: 0.0 }) }
    }

    fn write(&self, metric: &mut Metric) {
        let Counts { buckets, sum } = self.lock().clone();
        let mut total = 0;
        let mut cumulated = Vec::with_capacity(self.bounds.len());
        for (bound, count) in self.bounds.iter().zip(&buckets) {
            total += count;
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(*bound);
            bucket.set_cumulative_count(total);
            cumulated.push(bucket);
        }
        // The encoder writes `+Inf` from the count.
        let mut histogram = proto::Histogram::default();
        histogram.set_bucket(cumulated);
        histogram.set_sample_count(buckets.iter().sum());
        histogram.set_sample_sum(sum);
        metric.set_histogram(histogram);
    }
}
