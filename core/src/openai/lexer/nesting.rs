//! Which containers are open: one bit each, so that depth costs no memory.

use super::Container;

/// The deepest nesting accepted; the body's own object is level 1.
pub(super) const MAX_DEPTH: usize = u128::BITS as usize;

/// The open containers, innermost in the lowest bit (1 = object).
#[derive(Debug, Default)]
pub(super) struct Nesting {
    bits: u128,
    depth: usize,
}

impl Nesting {
    /// Opens a container; false when that is one too many.
    pub(super) fn push(&mut self, container: Container) -> bool {
        if self.depth == MAX_DEPTH {
            return false;
        }
        self.bits = self.bits << 1 | u128::from(container == Container::Object);
        self.depth += 1;
        true
    }

    /// Closes the innermost container; true when none is left.
    pub(super) fn pop(&mut self) -> bool {
        self.bits >>= 1;
        self.depth = self.depth.saturating_sub(1);
        self.depth == 0
    }

    /// The innermost container.
    pub(super) fn innermost(&self) -> Container {
        if self.bits & 1 == 1 { Container::Object } else { Container::Array }
    }
}
