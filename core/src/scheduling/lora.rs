//! Which LoRA adapters an engine has at hand.

use crate::engine::Adapters;
use std::collections::VecDeque;
use std::sync::Arc;

/// So many adapters are remembered of an engine that does not say how many slots it has.
const UNTOLD: usize = 8;

/// The slots of one engine: what it said of them, and what we sent since.
///
/// An engine tells of adapters whose requests run or wait. One that is idle stays in its slot until another needs
/// it, the least recently used first; so the adapters that we sent last, as many as there are slots, are there too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoraSlots {
    said: Option<Adapters>,
    /// The latest last.
    sent: VecDeque<Arc<str>>,
}

// === impl LoraSlots ===

impl LoraSlots {
    /// Takes what the engine says.
    pub fn observe(&mut self, adapters: Option<Adapters>) {
        self.said = adapters;
        self.trim();
    }

    /// A request for this adapter is on its way there.
    pub fn send(&mut self, adapter: &str) {
        let known = self.sent.iter().position(|sent| &**sent == adapter).and_then(|place| self.sent.remove(place));
        self.sent.push_back(known.unwrap_or_else(|| adapter.into()));
        self.trim();
    }

    /// Whether the adapter is in a slot, as far as we know.
    pub fn has(&self, adapter: &str) -> bool {
        self.sent.iter().any(|sent| &**sent == adapter) || self.in_use().any(|running| running == adapter)
    }

    /// Whether a slot is free, as far as we know; `None` when the engine never said how many it has.
    pub fn free(&self) -> Option<bool> {
        let max = self.said.as_ref()?.max?;
        let others = self.in_use().filter(|used| !self.sent.iter().any(|sent| &**sent == *used)).count();
        Some(self.sent.len() + others < max as usize)
    }

    /// Forgets everything: the engine was started again.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    fn in_use(&self) -> impl Iterator<Item = &str> {
        self.said.iter().flat_map(|said| said.running.iter().chain(&said.waiting)).map(String::as_str)
    }

    fn trim(&mut self) {
        let max = self.said.as_ref().and_then(|said| said.max).map_or(UNTOLD, |max| max as usize);
        while self.sent.len() > max {
            self.sent.pop_front();
        }
    }
}
