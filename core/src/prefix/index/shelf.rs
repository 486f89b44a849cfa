//! What one endpoint holds: a table from a hash to its place in the order of use.

use super::recency::{Node, Recency};
use super::spread::spread;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// Below this many places there is nothing to gain from [`Shelf::compact`].
const WORTH_COMPACTING: usize = 1024;

/// The hashes that an endpoint holds.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// Numbers of nodes, by their hashes.
    table: HashTable<u32>,
    recency: Recency,
}

// === impl Shelf ===

impl Shelf {
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Makes a hash the most recent one, for a call of `learn`. Returns whether it was not here.
    pub(super) fn touch(&mut self, hash: u64, learn: u64) -> bool {
        self.put(Node::new(hash, low(learn)))
    }

    /// Makes a hash the most recent one, if it is here, and returns whether it is.
    pub(super) fn renew(&mut self, hash: u64) -> bool {
        let number = self.find(hash);
        number.inspect(|number| self.recency.renew(*number)).is_some()
    }

    /// Takes one call of `learn` with a hash back. Returns whether it was the last, so that the hash is gone.
    pub(super) fn disown(&mut self, hash: u64, learn: u64) -> bool {
        let Some(number) = self.find(hash) else { return false };
        let Some(node) = self.recency.get_mut(number) else { return false };
        // Brought here after that call: evicted in between, and that call has no part in this one.
        let later = low(learn).wrapping_sub(node.since) > u32::MAX / 2;
        if later || node.learners == u32::MAX {
            return false;
        }
        node.learners = node.learners.saturating_sub(1);
        let gone = node.learners == 0;
        if gone {
            self.remove(number);
        }
        gone
    }

    /// Drops the oldest hash.
    pub(super) fn evict(&mut self) -> Option<u64> {
        self.remove(self.recency.oldest())
    }

    /// All hashes, the most recent first.
    pub(super) fn hashes(&self) -> impl Iterator<Item = u64> {
        self.recency.iter().map(|node| node.hash)
    }

    /// Gives memory back after most of the hashes went to make room for other endpoints'.
    pub(super) fn compact(&mut self) {
        if self.recency.places() < WORTH_COMPACTING || self.len() * 4 > self.recency.places() {
            return;
        }
        let room = self.len() * 2;
        let mut compact = Self { table: HashTable::with_capacity(room), recency: Recency::with_capacity(room) };
        for node in self.recency.iter_from_oldest() {
            compact.put(*node);
        }
        *self = compact;
    }

    /// Places for hashes, used or not.
    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        self.recency.places()
    }

    fn put(&mut self, node: Node) -> bool {
        let recency = &mut self.recency;
        let same = |number: &u32| recency.get(*number).is_some_and(|other| other.hash == node.hash);
        let place = |number: &u32| recency.get(*number).map_or(0, |other| spread(other.hash));
        match self.table.entry(spread(node.hash), same, place) {
            Entry::Vacant(entry) => {
                entry.insert(recency.push(node));
                true
            }
            Entry::Occupied(entry) => {
                let number = *entry.get();
                recency.renew(number);
                if let Some(node) = recency.get_mut(number) {
                    node.learners = node.learners.saturating_add(1);
                }
                false
            }
        }
    }

    fn find(&self, hash: u64) -> Option<u32> {
        let same = |number: &u32| self.recency.get(*number).is_some_and(|node| node.hash == hash);
        self.table.find(spread(hash), same).copied()
    }

    fn remove(&mut self, number: u32) -> Option<u64> {
        let hash = self.recency.get(number)?.hash;
        self.table.find_entry(spread(hash), |found| *found == number).ok()?.remove();
        self.recency.remove(number);
        Some(hash)
    }
}

/// The lower half: calls are compared only while the earlier one's request is in flight.
fn low(learn: u64) -> u32 {
    (learn & u64::from(u32::MAX)) as u32
}
