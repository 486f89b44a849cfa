//! LoRA slots: an adapter must sit in one while sequences run with it. It gets there at its first use,
//! or when it is loaded by name, and an idle one makes room, the longest unused first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The slots of one engine; times are those of its clock.
#[derive(Debug)]
pub struct Slots {
    max: usize,
    load_time: Duration,
    slots: Vec<Slot>,
    /// Waiting sequences by adapter.
    waiting: BTreeMap<Arc<str>, u32>,
    /// Orders uses.
    uses: u64,
    /// Times that an adapter began to load.
    loads: u64,
    changed: Duration,
}

#[derive(Debug)]
struct Slot {
    adapter: Arc<str>,
    ready: Duration,
    /// Sequences that run with it.
    users: u32,
    used: u64,
    /// Unloaded by name: goes with its last user.
    leaving: bool,
}

// === impl Slots ===

impl Slots {
    pub fn new(max: u32, load_time: Duration) -> Self {
        let (slots, waiting) = (Vec::new(), BTreeMap::new());
        Self { max: max as usize, load_time, slots, waiting, uses: 0, loads: 0, changed: Duration::ZERO }
    }

    pub fn max(&self) -> u32 {
        self.max as u32
    }

    /// Whether a sequence could run with the adapter at once; if not, and a slot can be had, it starts
    /// loading.
    pub fn claim(&mut self, adapter: &Arc<str>, now: Duration) -> bool {
        if self.slot(adapter).is_none() && !self.place(adapter, now) {
            return false;
        }
        self.slot(adapter).is_some_and(|slot| slot.ready <= now)
    }

    /// A sequence begins to run with an adapter that was claimed.
    pub fn begin(&mut self, adapter: &str, now: Duration) {
        self.uses += 1;
        let used = self.uses;
        if let Some(slot) = self.slot(adapter) {
            (slot.users, slot.used) = (slot.users + 1, used);
            self.changed = now;
        }
    }

    /// It runs no longer.
    pub fn end(&mut self, adapter: &str, now: Duration) {
        if let Some(slot) = self.slot(adapter) {
            slot.users = slot.users.saturating_sub(1);
            self.slots.retain(|slot| slot.users > 0 || !slot.leaving);
            self.changed = now;
        }
    }

    /// A sequence begins (`true`) or ends to wait for its turn.
    pub fn wait(&mut self, adapter: &Arc<str>, begins: bool, now: Duration) {
        self.changed = now;
        let count = self.waiting.entry(Arc::clone(adapter)).or_default();
        *count = if begins { *count + 1 } else { count.saturating_sub(1) };
        if *count == 0 {
            self.waiting.remove(adapter);
        }
    }

    /// Loads an adapter, again if it is here; nothing happens if every slot is busy.
    pub fn load(&mut self, adapter: &str, now: Duration) {
        let ready = now.saturating_add(self.load_time);
        match self.slot(adapter) {
            Some(slot) => {
                (slot.ready, slot.leaving) = (ready, false);
                self.loads += 1;
            }
            None => {
                self.place(&adapter.into(), now);
            }
        }
    }

    /// Takes an adapter out, now or with its last user.
    pub fn unload(&mut self, adapter: &str) {
        if let Some(slot) = self.slot(adapter) {
            slot.leaving = true;
            self.slots.retain(|slot| slot.users > 0 || !slot.leaving);
        }
    }

    /// When the next adapter that loads now will be ready.
    pub fn next_ready(&self, now: Duration) -> Option<Duration> {
        self.slots.iter().map(|slot| slot.ready).filter(|ready| *ready > now).min()
    }

    /// Whether a sequence with this adapter is held up by the slots alone.
    pub fn defers(&self, adapter: &str, now: Duration) -> bool {
        match self.slots.iter().find(|slot| &*slot.adapter == adapter) {
            Some(slot) => slot.ready > now,
            None => self.slots.len() >= self.max && self.slots.iter().all(|slot| slot.busy(now)),
        }
    }

    /// Adapters that sequences run with, sorted.
    pub fn running(&self) -> Vec<String> {
        let mut names: Vec<_> =
            self.slots.iter().filter(|slot| slot.users > 0).map(|slot| slot.adapter.to_string()).collect();
        names.sort();
        names
    }

    /// Adapters that sequences wait for, sorted.
    pub fn waiting(&self) -> Vec<String> {
        self.waiting.keys().map(|name| name.to_string()).collect()
    }

    /// When a sequence last began or ended to run or to wait with an adapter.
    pub fn changed(&self) -> Duration {
        self.changed
    }

    /// Times that an adapter began to load since the start.
    pub fn loads(&self) -> u64 {
        self.loads
    }

    fn slot(&mut self, adapter: &str) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|slot| &*slot.adapter == adapter)
    }

    /// Starts loading into a free slot, or into that of the longest unused idle adapter.
    fn place(&mut self, adapter: &Arc<str>, now: Duration) -> bool {
        if self.slots.len() >= self.max {
            let idle = self.slots.iter().enumerate().filter(|(_, slot)| !slot.busy(now));
            let Some((oldest, _)) = idle.min_by_key(|(_, slot)| slot.used) else {
                return false;
            };
            self.slots.remove(oldest);
        }
        self.uses += 1;
        self.loads += 1;
        let ready = now.saturating_add(self.load_time);
        self.slots.push(Slot { adapter: Arc::clone(adapter), ready, users: 0, used: self.uses, leaving: false });
        true
    }
}

// === impl Slot ===

impl Slot {
    /// One that still loads is not given away before it was of use.
    fn busy(&self, now: Duration) -> bool {
        self.users > 0 || self.ready > now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn names() -> [Arc<str>; 3] {
        ["a", "b", "c"].map(Arc::from)
    }

    #[test]
    fn an_adapter_runs_once_it_is_loaded() {
        let (mut slots, [a, ..]) = (Slots::new(1, SECOND), names());
        assert!(!slots.claim(&a, Duration::ZERO));
        assert_eq!(slots.next_ready(Duration::ZERO), Some(SECOND));
        assert!(slots.claim(&a, SECOND));
        assert_eq!((slots.next_ready(SECOND), slots.loads()), (None, 1));
    }

    #[test]
    fn more_adapters_than_slots_wait_until_one_is_idle_and_the_longest_unused_goes() {
        let (mut slots, [a, b, c]) = (Slots::new(2, Duration::ZERO), names());
        for adapter in [&a, &b] {
            assert!(slots.claim(adapter, SECOND));
            slots.begin(adapter, SECOND);
        }
        assert!(!slots.claim(&c, SECOND));
        assert!(slots.defers(&c, SECOND) && !slots.defers(&a, SECOND));
        slots.end(&b, SECOND);
        slots.end(&a, SECOND);
        assert!(slots.claim(&c, SECOND));
        assert_eq!(slots.slots.iter().map(|slot| &*slot.adapter).collect::<Vec<_>>(), ["b", "c"]);
    }

    #[test]
    fn an_unloaded_adapter_leaves_with_its_last_user() {
        let (mut slots, [a, ..]) = (Slots::new(1, Duration::ZERO), names());
        assert!(slots.claim(&a, SECOND));
        slots.begin(&a, SECOND);
        slots.unload(&a);
        assert_eq!(slots.running(), ["a"]);
        slots.end(&a, SECOND);
        assert!(slots.slots.is_empty());
    }
}
