//! Policies that look at nothing.

use std::time::Duration;

use fastrand::Rng;

use super::{Policy, Request};

/// Any of so many engines.
#[derive(Debug, Clone, Copy)]
pub struct Random(pub usize);

/// One engine after the other.
#[derive(Debug, Clone, Copy)]
pub struct RoundRobin {
    engines: usize,
    turn: usize,
}

// === impl Random ===

impl Policy for Random {
    fn pick(&mut self, _: &Request, _: Duration, random: &mut Rng) -> Option<usize> {
        Some(random.usize(..self.0.max(1)))
    }
}

// === impl RoundRobin ===

impl RoundRobin {
    /// Over so many engines.
    pub fn new(engines: usize) -> Self {
        Self { engines: engines.max(1), turn: 0 }
    }
}

impl Policy for RoundRobin {
    fn pick(&mut self, _: &Request, _: Duration, _: &mut Rng) -> Option<usize> {
        self.turn = (self.turn + 1) % self.engines;
        Some(self.turn)
    }
}
