//! How long an endpoint takes, from samples that come when requests end.

use std::time::Duration;

/// How fast old samples fade: after this long a sample counts 1/e of a new one.
const FADE: Duration = Duration::from_secs(10);

/// After so long without a sample nothing is known: an endpoint that was slow once must be tried again.
const FORGET: Duration = Duration::from_secs(60);

/// What a new sample counts at the least, however fast they follow each other.
const LEAST: f64 = 0.05;

/// An exponentially weighted moving average, in seconds, weighted by time: v += (sample - v) * w with
/// w = max(0.05, 1 - e^(-dt / 10 s)).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Ewma {
    average: Option<(f64, Duration)>,
}

// === impl Ewma ===

impl Ewma {
    /// Takes a sample in seconds, at that time. What is no number or negative is none.
    pub fn observe(&mut self, sample: f64, now: Duration) {
        if !(sample.is_finite() && sample >= 0.0) {
            return;
        }
        let average = match self.average.filter(|(_, at)| now.saturating_sub(*at) < FORGET) {
            None => sample,
            Some((average, at)) => {
                let passed = now.saturating_sub(at).as_secs_f64() / FADE.as_secs_f64();
                average + (sample - average) * (1.0 - (-passed).exp()).max(LEAST)
            }
        };
        self.average = Some((average, now));
    }

    /// The average of now, in seconds; `None` without a sample in the last minute.
    pub fn get(&self, now: Duration) -> Option<f64> {
        self.average.filter(|(_, at)| now.saturating_sub(*at) < FORGET).map(|(average, _)| average)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn old_samples_fade_and_are_forgotten_after_a_minute() {
        let mut ewma = Ewma::default();
        assert_eq!(ewma.get(at(0)), None);
        ewma.observe(1.0, at(0));
        ewma.observe(2.0, at(10));
        let after = ewma.get(at(10)).unwrap();
        assert!((after - (2.0 - (-1.0f64).exp())).abs() < 1e-9, "{after}");
        assert_eq!((ewma.get(at(69)), ewma.get(at(70))), (Some(after), None));
        ewma.observe(5.0, at(80));
        assert_eq!(ewma.get(at(80)), Some(5.0), "what was before is forgotten");
    }

    #[test]
    fn samples_at_the_same_time_count_each_a_little() {
        let mut ewma = Ewma::default();
        ewma.observe(1.0, at(0));
        (0..200).for_each(|_| ewma.observe(3.0, at(0)));
        assert!(ewma.get(at(0)).unwrap() > 2.9);
    }

    proptest! {
        #[test]
        fn the_average_lies_between_the_samples(
            samples in proptest::collection::vec((0.0f64..1e6, 0u64..1000), 1..50),
            odd in prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(-1.0)],
        ) {
            let (mut ewma, mut now) = (Ewma::default(), 0);
            for (sample, passed) in &samples {
                now += passed;
                ewma.observe(*sample, at(now));
                ewma.observe(odd, at(now));
            }
            let average = ewma.get(at(now)).unwrap();
            let bounds = samples.iter().fold((f64::MAX, f64::MIN), |(low, high), (s, _)| (low.min(*s), high.max(*s)));
            prop_assert!((bounds.0 - 1e-6..=bounds.1 + 1e-6).contains(&average));
        }
    }
}
