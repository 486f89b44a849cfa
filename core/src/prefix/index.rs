//! Which endpoint holds how much of a prompt, as far as we know: approximately what their KV caches hold.
//!
//! A prompt is a chain of hashes, of which each commits to all before it. So whoever holds a hash holds what leads to
//! it, and the holders along a chain are nested: they only become fewer. Two parts use that:
//! - `holders`: from a hash to the set of its holders. Equal sets are one object, so two depths of a chain compare by
//!   id, and [`Index::matches`] looks only where a set changes.
//! - a `Shelf` for each endpoint: its hashes by recency. A chain is touched from its deep end, so what leads to a hash
//!   is never older than the hash itself, and the oldest, evicted first, is nobody's way in.
//!
//! A pair is one hash at one endpoint. It costs 24 bytes in the order of use, up to 48 while that doubles, and 6 to 13
//! in a table, and each distinct hash 19 to 39 bytes. Measured: 58 to 81 bytes a pair where no hash has two holders,
//! 166 MB at [`MAX_PAIRS`]. A set of holders costs at most two bytes a member and some 80 of its own, and is shared by
//! all hashes that the same endpoints hold.
//!
//! Nothing is swept. What stalls longest is a table that doubles, some 1.2 ms, since each endpoint's and each of 64 for
//! the holders does so by itself, and [`Index::forget`], some 4 ms for 50,000 hashes.

mod holders;
mod members;
mod recency;
mod sets;
mod shelf;
mod spread;
mod sweep;

use holders::Holders;
use shelf::Shelf;
use sweep::Sweep;

/// Hashes that an endpoint may hold: the default of `maxHashCacheSize`.
const DEFAULT_CAPACITY: usize = 50_000;

/// Pairs that all endpoints together may hold: 40 endpoints at the default capacity. With more endpoints, each is
/// sure of its share of it.
pub const MAX_PAIRS: usize = 1 << 21;

/// Slots below this one are indexed; there the share of each is 256 hashes. What is dispatched to one above is not
/// learnt, and it matches nothing.
pub const MAX_ENDPOINTS: usize = 1 << 13;

/// The prefixes that endpoints hold, by their slots.
#[derive(Debug)]
pub struct Index {
    holders: Holders,
    shelves: Vec<Shelf>,
    /// Shelves with anything on them.
    occupied: usize,
    pairs: usize,
    capacity: usize,
    bound: usize,
    /// The shelf that gives way next.
    turn: usize,
    learns: u64,
}

/// What [`Index::learn`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Learned {
    /// For [`Index::retract`].
    pub stamp: Stamp,
    /// Pairs that had to go, at whichever endpoint.
    pub evicted: usize,
}

/// One call of [`Index::learn`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    learn: u64,
    /// How many leading hashes of the chain were taken.
    depth: u16,
}

// === impl Index ===

impl Default for Index {
    fn default() -> Self {
        Self::new()
    }
}

impl Index {
    /// An index that knows nothing, with room for 50,000 hashes an endpoint.
    pub fn new() -> Self {
        Self::bounded(MAX_PAIRS)
    }

    fn bounded(bound: usize) -> Self {
        Self {
            holders: Holders::default(),
            shelves: Vec::new(),
            occupied: 0,
            pairs: 0,
            capacity: DEFAULT_CAPACITY.min(bound),
            bound,
            turn: 0,
            learns: 0,
        }
    }

    /// Sets how many hashes an endpoint may hold, in 1 to [`MAX_PAIRS`]; who holds more drops the rest when it next learns.
    pub fn set_capacity(&mut self, per_endpoint: usize) {
        self.capacity = per_endpoint.clamp(1, self.bound);
    }

    /// Pairs held.
    pub fn entries(&self) -> usize {
        self.pairs
    }

    /// For every endpoint slot, how many leading hashes of `chain` it holds; 0 for those that hold none.
    ///
    /// O(l · log n) look-ups for l different sets of holders along n hashes; one where nobody holds anything, two
    /// where all holders hold all. Chains count up to 65,535 hashes.
    pub fn matches(&self, chain: &[u64], into: &mut [u16]) {
        Sweep::over(&self.holders, chain, into);
    }

    /// Takes a prompt as held by an endpoint from now on: at its dispatch, so that the next one alike, however soon
    /// after, finds it.
    ///
    /// The oldest of this endpoint go if it is full. If all together are, the oldest of this one go while it has more
    /// than its share, which is [`MAX_PAIRS`] divided by the endpoints that hold anything, and then those of others
    /// that do. A chain longer than the share or the capacity is taken as far as that goes.
    pub fn learn(&mut self, endpoint: u32, chain: &[u64]) -> Learned {
        self.learns += 1;
        let mut stamp = Stamp { learn: self.learns, depth: 0 };
        let Some(slot) = slot(endpoint) else { return Learned { stamp, evicted: 0 } };
        let share = self.share(slot);
        let depth = chain.len().min(share).min(self.capacity).min(usize::from(u16::MAX));
        let Some(chain @ [_, ..]) = chain.get(..depth) else { return Learned { stamp, evicted: 0 } };
        stamp.depth = u16::try_from(depth).unwrap_or(u16::MAX);
        if self.shelves.len() <= usize::from(slot) {
            self.shelves.resize_with(usize::from(slot) + 1, Shelf::default);
        }
        let Some(shelf) = self.shelves.get_mut(usize::from(slot)) else { return Learned { stamp, evicted: 0 } };
        self.occupied += usize::from(shelf.len() == 0);
        let mut evicted = 0;
        if shelf.len() + depth > self.capacity || self.pairs + depth > self.bound {
            // What is here of this chain is recent before anything goes.
            let missing = chain.iter().rev().filter(|hash| !shelf.renew(**hash)).count();
            evicted = self.make_room(slot, missing, share);
        }
        let Some(shelf) = self.shelves.get_mut(usize::from(slot)) else { return Learned { stamp, evicted } };
        for hash in chain.iter().rev() {
            if shelf.touch(*hash, stamp.learn) {
                self.holders.add(*hash, slot);
                self.pairs += 1;
            }
        }
        Learned { stamp, evicted }
    }

    /// Takes a dispatch back: it failed, so the endpoint did not get the prompt.
    ///
    /// What others sent there too, before or since, stays, until they take it back as well.
    pub fn retract(&mut self, endpoint: u32, chain: &[u64], stamp: Stamp) {
        let Some(slot) = slot(endpoint) else { return };
        let Some(shelf) = self.shelves.get_mut(usize::from(slot)) else { return };
        let held = shelf.len();
        for hash in chain.iter().take(usize::from(stamp.depth)) {
            if shelf.disown(*hash, stamp.learn) {
                self.holders.remove(*hash, slot);
                self.pairs -= 1;
            }
        }
        self.occupied -= usize::from(held > 0 && shelf.len() == 0);
    }

    /// Forgets an endpoint: it restarted or left, and its slot may be another's next. No eviction.
    ///
    /// O(what it holds).
    pub fn forget(&mut self, endpoint: u32) {
        let Some(slot) = slot(endpoint) else { return };
        let Some(shelf) = self.shelves.get_mut(usize::from(slot)).map(std::mem::take) else { return };
        for hash in shelf.hashes() {
            self.holders.remove(hash, slot);
        }
        self.pairs -= shelf.len();
        self.occupied -= usize::from(shelf.len() > 0);
    }

    /// What an endpoint may hold when all together are full, once it holds anything; at least one hash.
    fn share(&self, slot: u16) -> usize {
        let newcomer = self.shelves.get(usize::from(slot)).is_none_or(|shelf| shelf.len() == 0);
        (self.bound / (self.occupied + usize::from(newcomer)).max(1)).max(1)
    }

    /// Evicts until an endpoint can take so many hashes more.
    fn make_room(&mut self, slot: u16, missing: usize, share: usize) -> usize {
        let Some(shelf) = self.shelves.get_mut(usize::from(slot)) else { return 0 };
        let mut evicted = 0;
        let full = |held: usize, pairs: usize| {
            held + missing > self.capacity || (pairs + missing > self.bound && held + missing > share)
        };
        while full(shelf.len(), self.pairs) {
            let Some(hash) = shelf.evict() else { break };
            self.holders.remove(hash, slot);
            self.pairs -= 1;
            evicted += 1;
        }
        evicted + self.reclaim(missing, share)
    }

    /// Evicts from those that hold more than a share until there is room for so many pairs. One round is enough: while
    /// there is none, and the share is not too small for who needs them, somebody else has more than a share.
    fn reclaim(&mut self, missing: usize, share: usize) -> usize {
        let mut evicted = 0;
        for _ in 0..self.shelves.len() {
            if self.pairs + missing <= self.bound {
                break;
            }
            if self.turn >= self.shelves.len() {
                self.turn = 0;
            }
            let (Some(shelf), Ok(slot)) = (self.shelves.get_mut(self.turn), u16::try_from(self.turn)) else { break };
            while self.pairs + missing > self.bound && shelf.len() > share {
                let Some(hash) = shelf.evict() else { break };
                self.holders.remove(hash, slot);
                self.pairs -= 1;
                evicted += 1;
            }
            shelf.compact();
            if self.pairs + missing > self.bound {
                self.turn += 1;
            }
        }
        evicted
    }
}

/// The slot of an endpoint, if it is one that we index.
fn slot(endpoint: u32) -> Option<u16> {
    u16::try_from(endpoint).ok().filter(|slot| usize::from(*slot) < MAX_ENDPOINTS)
}

#[cfg(test)]
mod tests;
