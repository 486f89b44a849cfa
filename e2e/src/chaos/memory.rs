//! Memory over time: pure.

use std::time::Duration;

/// Memory at one time, in MiB.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Since the start.
    pub at: Duration,
    /// Envoy's.
    pub envoy: f64,
    /// The router's.
    pub router: f64,
}

/// Samples in their order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory(pub Vec<Sample>);

// === impl Memory ===

impl Memory {
    /// By how many MiB it grew each minute in the second half, as the line through all samples has it; the first half
    /// is for pools and caches to fill. `None` with less than two samples there.
    pub fn slope(&self, of: impl Fn(&Sample) -> f64) -> Option<f64> {
        let (_, half) = self.0.split_at(self.0.len() / 2);
        let count = half.len() as f64;
        let minutes = |sample: &Sample| sample.at.as_secs_f64() / 60.0;
        let mean = |value: &dyn Fn(&Sample) -> f64| half.iter().map(value).sum::<f64>() / count;
        let (x, y) = (mean(&minutes), mean(&|sample| of(sample)));
        let spread: f64 = half.iter().map(|sample| (minutes(sample) - x).powi(2)).sum();
        let together: f64 = half.iter().map(|sample| (minutes(sample) - x) * (of(sample) - y)).sum();
        (spread > 0.0).then(|| together / spread)
    }

    /// In the middle and at the end, in MiB: means of a tenth of the samples each.
    pub fn middle_and_end(&self, of: impl Fn(&Sample) -> f64) -> Option<(f64, f64)> {
        let tenth = self.0.len() / 10;
        let mean = |from: usize| {
            let part = self.0.get(from..from + tenth).filter(|part| !part.is_empty())?;
            Some(part.iter().map(&of).sum::<f64>() / part.len() as f64)
        };
        Some((mean(self.0.len() / 2)?, mean(self.0.len() - tenth)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fills_in_the_first_half_is_no_growth_and_what_goes_on_is() {
        let samples = (0..600_u32).map(|second| {
            let early = f64::from(second.min(300));
            Sample { at: Duration::from_secs(second.into()), envoy: 50.0 + early, router: f64::from(second) / 6.0 }
        });
        let memory = Memory(samples.collect());
        assert!(memory.slope(|sample| sample.envoy).unwrap().abs() < 1e-9);
        assert!((memory.slope(|sample| sample.router).unwrap() - 10.0).abs() < 1e-9);
        assert_eq!(memory.middle_and_end(|sample| sample.envoy), Some((350.0, 350.0)));
        assert_eq!(Memory::default().slope(|sample| sample.envoy), None);
        assert_eq!(Memory::default().middle_and_end(|sample| sample.envoy), None);
    }
}
