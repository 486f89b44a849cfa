//! Places in a body.

use std::ops::Range;

/// A run of bytes, as offsets from the start of the body; `end` is just after the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first byte's offset.
    pub start: usize,
    /// The offset just after the last byte.
    pub end: usize,
}

impl Span {
    /// The offsets as a range, to slice the body with.
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }

    /// What a string token's quotes enclose.
    pub(super) fn without_quotes(self) -> Self {
        Self { start: self.start + 1, end: self.end.saturating_sub(1) }
    }
}
