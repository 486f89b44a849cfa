//! From a hash to those who hold it.

use super::sets::{Set, SetId, Sets};
use super::spread::spread;
use hashbrown::HashTable;

/// Tables, of which each grows by itself: one that holds all would stall a request for tens of milliseconds to double.
const SHARDS: u32 = 64;

/// The holders of every hash that anybody holds.
#[derive(Debug)]
pub(super) struct Holders {
    shards: Vec<HashTable<(u64, SetId)>>,
    sets: Sets,
}

// === impl Holders ===

impl Default for Holders {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| HashTable::new()).collect(), sets: Sets::default() }
    }
}

impl Holders {
    pub(super) fn of(&self, hash: u64) -> SetId {
        let entry = self.shards.get(shard(hash)).and_then(|shard| shard.find(spread(hash), |(key, _)| *key == hash));
        entry.map_or(SetId::NOBODY, |(_, id)| *id)
    }

    pub(super) fn set(&self, id: SetId) -> Set<'_> {
        self.sets.get(id)
    }

    pub(super) fn add(&mut self, hash: u64, slot: u16) {
        let Some(shard) = self.shards.get_mut(shard(hash)) else { return };
        let entry = shard.entry(spread(hash), |(key, _)| *key == hash, |(key, _)| spread(*key));
        let (_, id) = entry.or_insert((hash, SetId::NOBODY)).into_mut();
        *id = self.sets.with(*id, slot);
    }

    pub(super) fn remove(&mut self, hash: u64, slot: u16) {
        let Some(shard) = self.shards.get_mut(shard(hash)) else { return };
        let Ok(mut entry) = shard.find_entry(spread(hash), |(key, _)| *key == hash) else { return };
        let (_, id) = entry.get_mut();
        *id = self.sets.without(*id, slot);
        if *id == SetId::NOBODY {
            entry.remove();
        }
    }

    /// Hashes that anybody holds, and sets of two or more who do.
    #[cfg(test)]
    pub(super) fn len(&self) -> (usize, usize) {
        (self.shards.iter().map(HashTable::len).sum(), self.sets.len())
    }
}

/// From bits that the place in a shard does not depend on: chain hashes have 48.
fn shard(hash: u64) -> usize {
    ((hash >> 42) % u64::from(SHARDS)) as usize
}
