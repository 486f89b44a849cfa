//! The mean of a histogram between two looks at it.

use super::Totals;

/// Follows one histogram.
#[derive(Debug, Clone, Default)]
pub(super) struct Latency {
    last: Option<Totals>,
    mean: Option<f64>,
    /// Pages since something came.
    still: u32,
}

/// After so many pages on which nothing came, the last mean tells nothing of now: whoever goes by it would send nothing
/// to an engine that was slow when it was busy, and so never hear that it is not any more.
const FORGOTTEN_AFTER: u32 = 30;

impl Latency {
    /// Whether these totals are of an engine that was started again since the last look.
    pub(super) fn went_down(&self, now: Totals) -> bool {
        self.last.is_some_and(|last| last.place == now.place && lower(now, last))
    }

    /// Takes the totals of a page, and answers with the mean over what came since the last one: Δsum / Δcount.
    ///
    /// The first look tells nothing of now, only of the engine's whole life. Totals that went down belong to an
    /// engine that was started again: all they hold is new. Totals of another place are of another histogram, and so
    /// a first look. When nothing came, or the page does not say, the last mean stays for half a minute of pages.
    pub(super) fn observe(&mut self, now: Option<Totals>) -> Option<f64> {
        self.still = self.still.saturating_add(1);
        if self.still > FORGOTTEN_AFTER {
            self.mean = None;
        }
        let Some(now) = now else { return self.mean };
        let last = self.last.replace(now).filter(|last| last.place == now.place);
        let Some(last) = last else { return self.mean };
        let since = if lower(now, last) {
            now
        } else {
            Totals { sum: now.sum - last.sum, count: now.count - last.count, place: now.place }
        };
        let mean = since.sum / since.count;
        // No count, or figures beyond what a double holds.
        if mean.is_finite() {
            (self.mean, self.still) = (Some(mean), 0);
        }
        self.mean
    }
}

/// Whether totals of one histogram cannot follow earlier ones.
fn lower(now: Totals, before: Totals) -> bool {
    now.count < before.count || now.sum < before.sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn totals(sum: f64, count: f64) -> Option<Totals> {
        Some(Totals { sum, count, place: 0 })
    }

    #[test]
    fn the_mean_is_of_what_came_since_the_last_look() {
        let mut latency = Latency::default();
        assert_eq!(latency.observe(totals(100.0, 10.0)), None, "the engine's whole life is not now");
        assert_eq!(latency.observe(totals(101.0, 12.0)), Some(0.5));
        assert_eq!(latency.observe(totals(101.0, 12.0)), Some(0.5), "nothing came");
        assert_eq!(latency.observe(None), Some(0.5), "nothing was said");
        assert_eq!(latency.observe(totals(104.0, 13.0)), Some(3.0));
    }

    #[test]
    fn an_idle_engine_is_not_thought_slow_for_ever() {
        let mut latency = Latency::default();
        latency.observe(totals(0.0, 0.0));
        latency.observe(totals(8.0, 4.0));
        let means: Vec<_> = (0..40).map(|_| latency.observe(totals(8.0, 4.0))).collect();
        assert_eq!((means[29], means[30], means[39]), (Some(2.0), None, None));
        assert_eq!(latency.observe(totals(8.5, 5.0)), Some(0.5));
    }

    #[test]
    fn an_engine_started_again_counts_from_nothing() {
        let mut latency = Latency::default();
        latency.observe(totals(100.0, 10.0));
        assert_eq!(latency.observe(totals(6.0, 3.0)), Some(2.0));
        assert_eq!(latency.observe(totals(0.0, 0.0)), Some(2.0), "and again, before its first request");
        assert_eq!(latency.observe(totals(1.0, 1.0)), Some(1.0));
    }

    #[test]
    fn totals_of_another_histogram_are_not_subtracted() {
        let mut latency = Latency::default();
        latency.observe(Some(Totals { sum: 10.0, count: 10.0, place: 1 }));
        assert_eq!(latency.observe(Some(Totals { sum: 12.0, count: 11.0, place: 1 })), Some(2.0));
        assert_eq!(latency.observe(Some(Totals { sum: 50.0, count: 12.0, place: 0 })), Some(2.0), "a first look");
        assert_eq!(latency.observe(Some(Totals { sum: 53.0, count: 13.0, place: 0 })), Some(3.0));
    }

    proptest! {
        #[test]
        fn a_mean_lies_between_the_least_and_the_greatest(
            rounds in proptest::collection::vec(proptest::collection::vec(0.0f64..100.0, 0..5), 1..20),
        ) {
            let (mut latency, mut now) = (Latency::default(), Totals::default());
            latency.observe(Some(now));
            for round in rounds {
                now.sum += round.iter().sum::<f64>();
                now.count += round.len() as f64;
                if let Some(mean) = latency.observe(Some(now)) {
                    prop_assert!((-1e-9..=100.0 + 1e-9).contains(&mean), "{}", mean);
                }
            }
        }

        #[test]
        fn whatever_totals_come_a_mean_is_a_number(
            pages in proptest::collection::vec((0.0f64..=f64::MAX, 0.0f64..=f64::MAX), 1..20),
        ) {
            let mut latency = Latency::default();
            for (sum, count) in pages {
                if let Some(mean) = latency.observe(totals(sum, count)) {
                    prop_assert!(mean.is_finite() && mean >= 0.0, "{}", mean);
                }
            }
        }
    }
}
