//! Observations counted by size.

use std::sync::Arc;
use std::time::Duration;

/// Counts of observations between given bounds.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// Upper bounds, included, ascending.
    bounds: Arc<[f64]>,
    /// Observations of each bucket alone; one more than bounds, the last for all above.
    buckets: Box<[u64]>,
    sum: f64,
}

// === impl Histogram ===

impl Histogram {
    /// `bounds` ascend.
    pub fn new(bounds: &[f64]) -> Self {
        Self { bounds: bounds.into(), buckets: vec![0; bounds.len() + 1].into(), sum: 0.0 }
    }

    /// Each upper bound with how many observations are not above it; the last bound is infinity.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        bounds.zip(&self.buckets).scan(0, |total, (bound, count)| {
            *total += count;
            Some((bound, *total))
        })
    }

    pub fn sum(&self) -> f64 {
        self.sum
    }

    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    pub(super) fn observe(&mut self, value: f64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.buckets.get_mut(bucket) {
            *count += 1;
            self.sum += value;
        }
    }

    pub(super) fn observe_time(&mut self, time: Duration) {
        self.observe(time.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket_and_what_is_above_all_to_the_last() {
        let mut histogram = Histogram::new(&[1.0, 2.0]);
        for value in [0.5, 1.0, 1.5, 9.0] {
            histogram.observe(value);
        }
        let expected = [(1.0, 2), (2.0, 3), (f64::INFINITY, 4)];
        assert_eq!(histogram.cumulative().collect::<Vec<_>>(), expected);
        assert_eq!((histogram.count(), histogram.sum()), (4, 12.0));
    }
}
