//! Whom to ask, as the last publication of endpoints has it.

use super::Slot;
use kthena_core::engine::{EngineType, Transport};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::watch;

/// An engine to ask. A Pod that takes over another's address is another one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    /// `namespace/name` of its Pod.
    pub pod: Arc<str>,
    /// What it is.
    pub engine: EngineType,
    /// How it is spoken to.
    pub transport: Transport,
}

/// Everyone to ask, and what each said.
#[derive(Debug, Default)]
pub struct Targets {
    current: watch::Sender<Arc<HashMap<Target, Arc<Slot>>>>,
}

// === impl Targets ===

impl Targets {
    /// Those of now.
    pub fn current(&self) -> Arc<HashMap<Target, Arc<Slot>>> {
        Arc::clone(&self.current.borrow())
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Arc<HashMap<Target, Arc<Slot>>>> {
        self.current.subscribe()
    }

    /// Takes the engines of a new publication. Of those that were there before each gets its slot back; the same
    /// engine in two pools has one.
    pub(crate) fn replace<'a>(&self, members: impl IntoIterator<Item = (Target, &'a mut Arc<Slot>)>) {
        let before = self.current();
        let mut next: HashMap<Target, Arc<Slot>> = HashMap::new();
        for (target, slot) in members {
            if let Some(known) = next.get(&target).or_else(|| before.get(&target)) {
                *slot = Arc::clone(known);
            }
            next.entry(target).or_insert_with(|| Arc::clone(slot));
        }
        self.current.send_if_modified(|current| {
            let same = current.len() == next.len()
                && next.iter().all(|(target, slot)| current.get(target).is_some_and(|known| Arc::ptr_eq(known, slot)));
            if !same {
                *current = Arc::new(next);
            }
            !same
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(host: u8, pod: &str) -> Target {
        Target {
            address: ([10, 0, 0, host], 8000).into(),
            pod: pod.into(),
            engine: EngineType::Vllm,
            transport: Transport::Plain,
        }
    }

    /// The slots after a publication of these.
    fn published(targets: &Targets, members: &[Target]) -> Vec<Arc<Slot>> {
        let mut slots: Vec<Arc<Slot>> = Vec::new();
        slots.resize_with(members.len(), Arc::default);
        targets.replace(members.iter().cloned().zip(&mut slots));
        slots
    }

    #[test]
    fn an_engine_keeps_its_slot_and_shares_it_between_pools() {
        let targets = Targets::default();
        let (a, b) = (target(1, "ns/a"), target(2, "ns/b"));
        let first = published(&targets, &[a.clone(), b.clone(), a.clone()]);
        assert!(Arc::ptr_eq(&first[0], &first[2]) && !Arc::ptr_eq(&first[0], &first[1]));
        let second = published(&targets, &[b, a]);
        assert!(Arc::ptr_eq(&first[0], &second[1]) && Arc::ptr_eq(&first[1], &second[0]));
        assert_eq!(targets.current().len(), 2);
    }

    #[test]
    fn a_pod_that_comes_back_or_takes_over_an_address_begins_anew() {
        let targets = Targets::default();
        let first = published(&targets, &[target(1, "ns/a")]);
        assert!(!Arc::ptr_eq(&first[0], &published(&targets, &[target(1, "ns/b")])[0]));
        assert!(!Arc::ptr_eq(&first[0], &published(&targets, &[target(1, "ns/a")])[0]));
    }

    #[test]
    fn only_a_change_is_news() {
        let targets = Targets::default();
        let mut changes = targets.subscribe();
        changes.borrow_and_update();
        published(&targets, &[target(1, "ns/a")]);
        assert!(changes.has_changed().unwrap());
        changes.borrow_and_update();
        published(&targets, &[target(1, "ns/a")]);
        assert!(!changes.has_changed().unwrap());
        published(&targets, &[]);
        assert!(changes.has_changed().unwrap());
    }
}
