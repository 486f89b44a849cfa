//! A piece of the body, and the next one when that is used up.

use std::ops::Range;

/// What is held of the body at a time. Each reading is a call of the host, and the strings of a chat are short
/// and close to each other: one window serves many.
pub(super) const SIZE: usize = 64 << 10;

/// The bytes of a body that were read last.
pub(super) struct Window<B> {
    body: B,
    /// Nothing is read behind this.
    end: usize,
    start: usize,
    bytes: Vec<u8>,
}

// === impl Window ===

impl<B: FnMut(Range<usize>) -> Option<Vec<u8>>> Window<B> {
    /// A window on the body up to `end`.
    pub(super) fn new(body: B, end: usize) -> Self {
        Self { body, end, start: 0, bytes: Vec::new() }
    }

    /// Bytes that begin at `at`, as many as are at hand but none behind `until`; `None` where there are none.
    pub(super) fn at(&mut self, at: usize, until: usize) -> Option<&[u8]> {
        let held = self.start..self.start + self.bytes.len();
        if !held.contains(&at) {
            // The old window goes before the new one comes.
            self.bytes = Vec::new();
            let range = at..self.end.min(at.checked_add(SIZE)?);
            let wanted = range.len();
            self.start = at;
            self.bytes = (self.body)(range).filter(|bytes| !bytes.is_empty() && bytes.len() <= wanted)?;
        }
        let bytes = self.bytes.get(at.checked_sub(self.start)?..)?;
        Some(bytes.get(..until.checked_sub(at)?).unwrap_or(bytes))
    }
}
