//! What the log failed to say.

use std::sync::atomic::{AtomicU64, Ordering};

/// Losses since the start.
#[derive(Debug, Default)]
pub struct Counts {
    lost: AtomicU64,
    unreadable: AtomicU64,
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

    pub(super) fn lost(&self, lines: u64) {
        self.lost.fetch_add(lines, Ordering::Relaxed);
    }

    pub(super) fn unreadable(&self) {
        self.unreadable.fetch_add(1, Ordering::Relaxed);
    }
}
