//! What came of a run.

use std::time::Duration;

/// What came of the requests of one run that count.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// From the first such request to the last answer.
    pub time: Duration,
    /// Of each request, from when its client first asked; ascending once the run is over.
    pub ttft: Vec<Duration>,
    /// Likewise, to the last token.
    pub latency: Vec<Duration>,
    /// Prompt tokens of all requests.
    pub prompt_tokens: u64,
    /// Of these, those that an engine found in its cache.
    pub cached_tokens: u64,
    /// Times that a request was shed; its client asked again.
    pub shed: u64,
    /// Times that an engine loaded an adapter.
    pub adapter_loads: u64,
    /// Times that an engine took a request's seat away for want of cache.
    pub preemptions: u64,
    /// Requests in flight at each engine, every [`Outcome::SAMPLE`].
    pub in_flight: Vec<Vec<u32>>,
}

// === impl Outcome ===

impl Outcome {
    /// How often `in_flight` is looked at.
    pub const SAMPLE: Duration = Duration::from_millis(250);

    /// Requests answered in a second.
    pub fn throughput(&self) -> f64 {
        let seconds = self.time.as_secs_f64();
        if seconds > 0.0 { self.latency.len() as f64 / seconds } else { 0.0 }
    }

    /// Share of the prompt tokens that engines found in their caches.
    pub fn hit_rate(&self) -> f64 {
        self.cached_tokens as f64 / self.prompt_tokens.max(1) as f64
    }

    /// Requests at the busiest engine over those at the mean one, over time.
    pub fn imbalance(&self) -> f64 {
        let (mut most, mut mean) = (0.0, 0.0);
        for sample in &self.in_flight {
            most += f64::from(sample.iter().copied().max().unwrap_or(0));
            mean += f64::from(sample.iter().sum::<u32>()) / sample.len().max(1) as f64;
        }
        if mean > 0.0 { most / mean } else { 1.0 }
    }

    pub(crate) fn finish(&mut self) {
        self.ttft.sort_unstable();
        self.latency.sort_unstable();
    }
}

/// Seconds.
pub fn mean(times: &[Duration]) -> f64 {
    times.iter().sum::<Duration>().as_secs_f64() / times.len().max(1) as f64
}

/// Seconds; `times` ascend, `share` is in [0, 1].
pub fn quantile(times: &[Duration], share: f64) -> f64 {
    let last = times.len().saturating_sub(1);
    times.get((share * last as f64).round() as usize).map_or(0.0, Duration::as_secs_f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_were_seen() {
        let times: Vec<_> = (0..=100).map(Duration::from_secs).collect();
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(|share| quantile(&times, share)), [0.0, 50.0, 99.0, 100.0]);
        assert_eq!((mean(&times), quantile(&[], 0.5)), (50.0, 0.0));
    }

    #[test]
    fn imbalance_is_one_where_all_have_the_same_and_their_number_where_one_has_all() {
        let of = |in_flight| Outcome { in_flight, ..Outcome::default() }.imbalance();
        assert_eq!(of(vec![vec![4, 4, 4], vec![0, 0, 0]]), 1.0);
        assert_eq!(of(vec![vec![9, 0, 0], vec![0, 3, 0]]), 3.0);
        assert_eq!(of(Vec::new()), 1.0);
    }
}
