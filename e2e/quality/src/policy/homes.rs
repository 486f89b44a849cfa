//! A yardstick that no router can be: it knows how long the shared part of each prompt is.

use std::collections::HashMap;
use std::time::Duration;

use fastrand::Rng;

use super::{Policy, Request};

/// Every system prompt has one home, and homes are as many on each engine. Load is not looked at.
#[derive(Debug)]
pub struct Homes {
    engines: usize,
    /// Tokens of a system prompt.
    system: usize,
    homes: HashMap<Vec<u32>, usize>,
}

// === impl Homes ===

impl Homes {
    /// Over so many engines; system prompts have `system` tokens.
    pub fn new(engines: usize, system: u32) -> Self {
        Self { engines: engines.max(1), system: system as usize, homes: HashMap::new() }
    }
}

impl Policy for Homes {
    fn pick(&mut self, request: &Request, _: Duration, _: &mut Rng) -> Option<usize> {
        let system = request.prompt.iter().take(self.system).copied().collect();
        let next = self.homes.len() % self.engines;
        Some(*self.homes.entry(system).or_insert(next))
    }
}
