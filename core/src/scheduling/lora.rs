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
    ///
    /// Adapters in use that others sent have taken slots of those that we sent and that are idle, the oldest first.
    pub fn observe(&mut self, adapters: Option<Adapters>) {
        self.said = adapters;
        self.trim();
        let taken = self.others();
        while self.sent.len() + taken > self.slots() {
            let idle = self.sent.iter().position(|sent| !self.in_use().any(|used| used == &**sent));
            let Some(idle) = idle else { return };
            self.sent.remove(idle);
        }
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
        Some(self.sent.len() + self.others() < max as usize)
    }

    /// Forgets everything: the engine was started again.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Adapters in use that we did not send.
    fn others(&self) -> usize {
        self.in_use().filter(|used| !self.sent.iter().any(|sent| &**sent == *used)).count()
    }

    /// Each once, though some of its requests may run and others wait.
    fn in_use(&self) -> impl Iterator<Item = &str> {
        self.said.iter().flat_map(|said| {
            let waiting = said.waiting.iter().filter(|name| !said.running.contains(name));
            said.running.iter().chain(waiting).map(String::as_str)
        })
    }

    fn slots(&self) -> usize {
        self.said.as_ref().and_then(|said| said.max).map_or(UNTOLD, |max| max as usize)
    }

    fn trim(&mut self) {
        while self.sent.len() > self.slots() {
            self.sent.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn says(max: Option<u32>, running: &[&str], waiting: &[&str]) -> Option<Adapters> {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Some(Adapters { running: names(running), waiting: names(waiting), max })
    }

    #[test]
    fn an_adapter_that_runs_or_waits_is_there_and_takes_one_slot() {
        let mut slots = LoraSlots::default();
        slots.observe(says(Some(3), &["a"], &["a", "b"]));
        assert_eq!(["a", "b", "c"].map(|name| slots.has(name)), [true, true, false]);
        assert_eq!(slots.free(), Some(true), "`a` runs and waits in one slot");
        slots.send("a");
        assert_eq!(slots.free(), Some(true), "it is there already");
        slots.send("c");
        assert_eq!(slots.free(), Some(false));
    }

    #[test]
    fn an_idle_adapter_stays_until_its_slot_is_needed_the_least_recently_used_first() {
        let mut slots = LoraSlots::default();
        slots.observe(says(Some(2), &[], &[]));
        ["a", "b", "a"].iter().for_each(|name| slots.send(name));
        slots.observe(says(Some(2), &[], &[]));
        assert_eq!(["a", "b"].map(|name| slots.has(name)), [true, true]);
        slots.send("c");
        assert_eq!(["a", "b", "c"].map(|name| slots.has(name)), [true, false, true]);
    }

    #[test]
    fn adapters_that_others_sent_take_the_slots_of_our_idle_ones() {
        let mut slots = LoraSlots::default();
        slots.observe(says(Some(3), &[], &[]));
        ["a", "b", "c"].iter().for_each(|name| slots.send(name));
        slots.observe(says(Some(3), &["a", "x", "y"], &[]));
        assert_eq!(["a", "b", "c", "x", "y"].map(|name| slots.has(name)), [true, false, false, true, true]);
        assert_eq!(slots.free(), Some(false));
    }

    #[test]
    fn an_engine_that_never_told_its_slots_is_thought_to_have_a_few() {
        let mut slots = LoraSlots::default();
        (0..9).for_each(|adapter| slots.send(&format!("lora-{adapter}")));
        assert_eq!((slots.has("lora-0"), slots.has("lora-1"), slots.free()), (false, true, None));
        slots.observe(says(None, &["x"], &[]));
        assert_eq!((slots.has("x"), slots.free()), (true, None));
        slots.clear();
        assert_eq!(slots, LoraSlots::default());
    }

    proptest! {
        #[test]
        fn what_was_sent_last_is_there_and_memory_is_bounded(
            steps in proptest::collection::vec(
                (0u8..20, proptest::option::of((proptest::collection::vec(0u8..20, 0..6), proptest::option::of(1u32..5)))),
                1..60,
            ),
        ) {
            let mut slots = LoraSlots::default();
            for (adapter, said) in steps {
                if let Some((running, max)) = said {
                    let running = running.iter().map(u8::to_string).collect();
                    slots.observe(Some(Adapters { running, waiting: vec![], max }));
                    let in_use = slots.in_use().count();
                    prop_assert!(slots.sent.len() + slots.others() <= slots.slots().max(in_use));
                }
                slots.send(&adapter.to_string());
                prop_assert!(slots.has(&adapter.to_string()));
                prop_assert!(slots.sent.len() <= slots.slots());
            }
        }
    }
}
