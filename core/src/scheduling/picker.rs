//! Orders what was scored.

use super::Random;

/// How many endpoints a decision lists: the first try and up to four retries.
pub const MAX_PICKS: usize = 5;

/// Turns totals into an ordered list of candidates.
pub trait Picker: Send + Sync {
    /// Indexes into `totals`, best first, at most [`MAX_PICKS`].
    fn pick(&self, totals: &[f64], random: &mut Random<'_>) -> Vec<usize>;
}

/// Highest total first; equal totals in random order, so that ties spread.
#[derive(Debug, Clone, Copy, Default)]
pub struct MaxScore;

impl Picker for MaxScore {
    fn pick(&self, totals: &[f64], random: &mut Random<'_>) -> Vec<usize> {
        let mut order: Vec<(usize, f64, u64)> =
            totals.iter().enumerate().map(|(index, total)| (index, *total, random())).collect();
        let best_first = |a: &(usize, f64, u64), b: &(usize, f64, u64)| b.1.total_cmp(&a.1).then(a.2.cmp(&b.2));
        if order.len() > MAX_PICKS {
            order.select_nth_unstable_by(MAX_PICKS, best_first);
            order.truncate(MAX_PICKS);
        }
        order.sort_unstable_by(best_first);
        order.into_iter().map(|(index, ..)| index).collect()
    }
}
