//! What the log failed to say, and what it says of bounds.

use super::bound::Bound;
use std::sync::atomic::{AtomicU64, Ordering};

/// Losses, and requests that a bound ended, since the start.
#[derive(Debug, Default)]
pub struct Counts {
    lost: AtomicU64,
    unreadable: AtomicU64,
    exceeded: [AtomicU64; Bound::ALL.len()],
}

// === impl Counts ===

impl Counts {
    /// Lines that were not written: the output failed, or did not keep up.
    pub fn lost_lines(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Requests of which the filter's part could not be read, as while Envoy runs a filter of another version.
    pub fn unreadable_facts(&self) -> u64 {
        self.unreadable.load(Ordering::Relaxed)
    }

    /// Requests that a bound ended, by bound.
    pub fn bounds(&self) -> impl Iterator<Item = (Bound, u64)> {
        Bound::ALL.into_iter().zip(&self.exceeded).map(|(bound, count)| (bound, count.load(Ordering::Relaxed)))
    }

    pub(super) fn exceeded(&self, bound: Bound) {
        let counts = Bound::ALL.into_iter().zip(&self.exceeded);
        counts.filter(|(known, _)| *known == bound).for_each(|(_, count)| _ = count.fetch_add(1, Ordering::Relaxed));
    }

    pub(super) fn lost(&self, lines: u64) {
        self.lost.fetch_add(lines, Ordering::Relaxed);
    }

    pub(super) fn unreadable(&self) {
        self.unreadable.fetch_add(1, Ordering::Relaxed);
    }
}
