//! What one endpoint holds, by recency.
//!
//! Nodes of a list in one vector, linked by number, found through a table of those numbers: nothing is allocated once
//! it is as large as it gets, and no sweep over all is ever needed.

use super::spread::spread;
use hashbrown::HashTable;

/// No node.
const NONE: u32 = u32::MAX;

/// Below this many nodes there is nothing to gain from [`Shelf::compact`].
const WORTH_COMPACTING: usize = 1024;

/// The hashes that an endpoint holds.
#[derive(Debug)]
pub(super) struct Shelf {
    /// Nodes by hash.
    table: HashTable<u32>,
    nodes: Vec<Node>,
    newest: u32,
    oldest: u32,
    /// A list, linked by `older`, of nodes that hold nothing.
    free: u32,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    hash: u64,
    newer: u32,
    older: u32,
    /// The call of `learn`, its lower half, that brought it here.
    since: u32,
    /// Calls of `learn` with it since then, less those taken back.
    learners: u32,
}

// === impl Shelf ===

impl Default for Shelf {
    fn default() -> Self {
        Self { table: HashTable::new(), nodes: Vec::new(), newest: NONE, oldest: NONE, free: NONE }
    }
}

impl Shelf {
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Makes a hash the most recent one, for a call of `learn`. Returns whether it was not here.
    pub(super) fn touch(&mut self, hash: u64, learn: u64) -> bool {
        if let Some(number) = self.find(hash) {
            self.unlink(number);
            self.link(number);
            if let Some(node) = self.node_mut(number) {
                node.learners = node.learners.saturating_add(1);
            }
            return false;
        }
        let node = Node { hash, newer: NONE, older: NONE, since: low(learn), learners: 1 };
        let number = self.free;
        let number = match self.node_mut(number) {
            Some(place) => {
                let next = place.older;
                *place = node;
                self.free = next;
                number
            }
            None => {
                // Never cut off: a shelf holds fewer than `MAX_PAIRS` and a chain.
                let number = u32::try_from(self.nodes.len()).unwrap_or(NONE);
                self.nodes.push(node);
                number
            }
        };
        self.link(number);
        let nodes = &self.nodes;
        self.table.insert_unique(spread(hash), number, |number| place(nodes, *number));
        true
    }

    /// Takes one call of `learn` with a hash back. Returns whether it was the last, so that the hash is gone.
    pub(super) fn disown(&mut self, hash: u64, learn: u64) -> bool {
        let Some(number) = self.find(hash) else { return false };
        let Some(node) = self.node_mut(number) else { return false };
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
        self.remove(self.oldest)
    }

    /// All hashes, the newest first.
    pub(super) fn hashes(&self) -> impl Iterator<Item = u64> {
        let newest = self.nodes.get(self.newest as usize);
        std::iter::successors(newest, |node| self.nodes.get(node.older as usize)).map(|node| node.hash)
    }

    /// Gives memory back after most of the hashes went to make room for other endpoints'.
    pub(super) fn compact(&mut self) {
        if self.nodes.len() < WORTH_COMPACTING || self.len() * 4 > self.nodes.len() {
            return;
        }
        let mut compact = Self { nodes: Vec::with_capacity(self.len() * 2), ..Self::default() };
        let mut number = self.oldest;
        while let Some(node) = self.nodes.get(number as usize) {
            compact.touch(node.hash, u64::from(node.since));
            if let Some(copy) = compact.nodes.last_mut() {
                copy.learners = node.learners;
            }
            number = node.newer;
        }
        *self = compact;
    }

    /// Places for hashes, used or not.
    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        self.nodes.capacity()
    }

    fn find(&self, hash: u64) -> Option<u32> {
        let same = |number: &u32| self.nodes.get(*number as usize).is_some_and(|node| node.hash == hash);
        self.table.find(spread(hash), same).copied()
    }

    fn remove(&mut self, number: u32) -> Option<u64> {
        let hash = self.nodes.get(number as usize)?.hash;
        self.table.find_entry(spread(hash), |found| *found == number).ok()?.remove();
        self.unlink(number);
        let free = self.free;
        self.node_mut(number)?.older = free;
        self.free = number;
        Some(hash)
    }

    /// Puts a node before the newest.
    fn link(&mut self, number: u32) {
        let second = self.newest;
        if let Some(node) = self.node_mut(number) {
            node.newer = NONE;
            node.older = second;
        }
        match self.node_mut(second) {
            Some(node) => node.newer = number,
            None => self.oldest = number,
        }
        self.newest = number;
    }

    fn unlink(&mut self, number: u32) {
        let Some(Node { newer, older, .. }) = self.nodes.get(number as usize).copied() else { return };
        match self.node_mut(newer) {
            Some(node) => node.older = older,
            None => self.newest = older,
        }
        match self.node_mut(older) {
            Some(node) => node.newer = newer,
            None => self.oldest = newer,
        }
    }

    fn node_mut(&mut self, number: u32) -> Option<&mut Node> {
        self.nodes.get_mut(number as usize)
    }
}

fn place(nodes: &[Node], number: u32) -> u64 {
    nodes.get(number as usize).map_or(0, |node| spread(node.hash))
}

/// The lower half: calls are compared only while the earlier one's request is in flight.
fn low(learn: u64) -> u32 {
    (learn & u64::from(u32::MAX)) as u32
}
