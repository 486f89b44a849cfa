//! Whether other routers do as we do.
//!
//! They see the same pages of metrics. Where an endpoint looks idle, all of them send there; each corrected by its own
//! requests alone, together they overshoot, and back again. So what we do counts as often as it is done.

/// Noise of a few requests: pages and counts are not of the same moment.
const NOISE: f64 = 16.0;

/// What earlier pages still count for with each page that comes.
const FADE: f64 = 0.98;

/// More than so many routers are not made up.
const MOST: f64 = 16.0;

/// How what engines have moves with what of it is ours: the slope of the one over the other, from page to page.
///
/// It is 1 where nobody else sends, or others send whatever we do; n where n routers move as one.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Together {
    both: f64,
    ours: f64,
}

// === impl Together ===

impl Together {
    /// An engine said how many requests it has, so many of which were ours, and how many it had a page earlier.
    pub(super) fn observe(&mut self, earlier: (u32, u32), now: (u32, u32)) {
        let (all, ours) = (f64::from(now.0) - f64::from(earlier.0), f64::from(now.1) - f64::from(earlier.1));
        self.both = self.both * FADE + all * ours;
        self.ours = self.ours * FADE + ours * ours;
    }

    /// How many routers seem to do as we do, ourselves included.
    pub(super) fn routers(&self) -> f64 {
        ((self.both + NOISE) / (self.ours + NOISE)).clamp(1.0, MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After pages on which we had these, and all together those.
    fn routers(pages: impl IntoIterator<Item = (u32, u32)>) -> f64 {
        let mut together = Together::default();
        let pages: Vec<_> = pages.into_iter().collect();
        pages.windows(2).for_each(|pair| together.observe(pair[0], pair[1]));
        together.routers()
    }

    #[test]
    fn routers_that_move_as_one_are_counted_and_others_are_not() {
        let waves = || (0..60).map(|page| if page % 2 == 0 { 10 } else { 40 });
        let alone = routers(waves().map(|ours| (ours, ours)));
        let beside_a_load = routers(waves().map(|ours| (ours + 500, ours)));
        let four = routers(waves().map(|ours| (4 * ours, ours)));
        let against = routers(waves().map(|ours| (50, ours)));
        assert!((alone, beside_a_load, against) == (1.0, 1.0, 1.0) && (3.8..=4.0).contains(&four), "{four}");
    }

    #[test]
    fn a_few_requests_say_nothing() {
        assert!(routers([(0, 0), (3, 1), (0, 0), (2, 1)]) < 1.5);
        assert_eq!(routers([]), 1.0);
        assert_eq!(routers([(0, 0), (u32::MAX, u32::MAX)]), 1.0);
    }
}
