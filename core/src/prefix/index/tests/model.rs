//! The index as one would write it first: a list of hashes an endpoint, walked from end to end.

use std::collections::BTreeSet;

#[derive(Debug)]
struct Held {
    hash: u64,
    learners: BTreeSet<u64>,
}

/// What endpoints hold, each the most recent first, and whose turn it is to give way.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) shelves: Vec<Shelf>,
    pub(super) bound: usize,
    pub(super) capacity: usize,
    learns: u64,
    turn: usize,
}

#[derive(Debug, Default)]
pub(super) struct Shelf(Vec<Held>);

impl Shelf {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn position(&self, hash: u64) -> Option<usize> {
        self.0.iter().position(|held| held.hash == hash)
    }
}

impl Model {
    pub(super) fn bounded(bound: usize, capacity: usize, endpoints: usize) -> Self {
        let shelves = (0..endpoints).map(|_| Shelf::default()).collect();
        Self { shelves, bound, capacity, learns: 0, turn: 0 }
    }

    pub(super) fn entries(&self) -> usize {
        self.shelves.iter().map(Shelf::len).sum()
    }

    pub(super) fn matches(&self, chain: &[u64]) -> Vec<u16> {
        let leading = |shelf: &Shelf| chain.iter().take_while(|hash| shelf.position(**hash).is_some()).count() as u16;
        self.shelves.iter().map(leading).collect()
    }

    /// Answers the number of this call, how much of the chain was taken, and how many pairs had to go.
    pub(super) fn learn(&mut self, endpoint: usize, chain: &[u64]) -> (u64, usize, usize) {
        self.learns += 1;
        let others = self.shelves.iter().enumerate().filter(|(slot, shelf)| *slot != endpoint && shelf.len() > 0);
        let share = self.bound / (others.count() + 1);
        let depth = chain.len().min(self.capacity).min(share);
        for hash in chain[..depth].iter().rev() {
            let shelf = &mut self.shelves[endpoint].0;
            let mut held = match shelf.iter().position(|held| held.hash == *hash) {
                Some(at) => shelf.remove(at),
                None => Held { hash: *hash, learners: BTreeSet::new() },
            };
            held.learners.insert(self.learns);
            shelf.insert(0, held);
        }
        if depth == 0 {
            return (self.learns, 0, 0);
        }
        let mut evicted = 0;
        while self.shelves[endpoint].len() > self.capacity
            || (self.entries() > self.bound && self.shelves[endpoint].len() > share)
        {
            self.shelves[endpoint].0.pop();
            evicted += 1;
        }
        while self.entries() > self.bound {
            if self.shelves[self.turn].len() > share {
                self.shelves[self.turn].0.pop();
                evicted += 1;
            } else {
                self.turn = (self.turn + 1) % self.shelves.len();
            }
        }
        (self.learns, depth, evicted)
    }

    pub(super) fn retract(&mut self, endpoint: usize, chain: &[u64], learn: u64) {
        self.shelves[endpoint].0.retain_mut(|held| {
            if chain.contains(&held.hash) {
                held.learners.remove(&learn);
            }
            !held.learners.is_empty()
        });
    }

    pub(super) fn forget(&mut self, endpoint: usize) {
        self.shelves[endpoint].0.clear();
    }
}
