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
        // The best so far, best first.
        let mut best: Vec<(f64, u64, usize)> = Vec::with_capacity(MAX_PICKS + 1);
        for (index, total) in totals.iter().enumerate() {
            if best.len() == MAX_PICKS && best.last().is_some_and(|(worst, ..)| total < worst) {
                continue;
            }
            let tie = random();
            let better = |(other, among, _): &(f64, u64, usize)| other.total_cmp(total).then(among.cmp(&tie)).is_ge();
            best.insert(best.partition_point(better), (*total, tie, index));
            best.truncate(MAX_PICKS);
        }
        best.into_iter().map(|(.., index)| index).collect()
    }
}
