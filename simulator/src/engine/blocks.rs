//! The KV cache as vLLM keeps it: blocks that sequences hold, and full blocks of ended sequences that
//! stay findable until their place is needed.
//!
//! A block is *held* while a sequence refers to it, *idle* when none does but its content is known by
//! hash, *empty* otherwise. Empty ones are taken first, then idle ones, the longest idle first. A sequence
//! gives its blocks back last to first, so a long prefix loses its end before its beginning.

use std::collections::{BTreeMap, HashMap};

/// All blocks of one engine.
#[derive(Debug)]
pub struct BlockPool {
    caching: bool,
    blocks: Vec<Block>,
    empty: Vec<BlockId>,
    /// By when they became idle.
    idle: BTreeMap<u64, BlockId>,
    /// Held and idle blocks whose content is known.
    index: HashMap<u64, BlockId>,
    /// Orders `idle`.
    releases: u64,
}

/// A place in the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockId(u32);

#[derive(Debug, Clone, Copy, Default)]
struct Block {
    holders: u32,
    hash: Option<u64>,
    /// Its key in `idle`, while it is there.
    released: u64,
}

// === impl BlockPool ===

impl BlockPool {
    /// Without `caching`, no content is ever found again.
    pub fn new(blocks: u32, caching: bool) -> Self {
        Self {
            caching,
            blocks: vec![Block::default(); blocks as usize],
            empty: (0..blocks).rev().map(BlockId).collect(),
            idle: BTreeMap::new(),
            index: HashMap::new(),
            releases: 0,
        }
    }

    /// Blocks that no sequence holds.
    pub fn free(&self) -> usize {
        self.empty.len() + self.idle.len()
    }

    /// Share of the blocks that sequences hold.
    pub fn usage(&self) -> f64 {
        1.0 - self.free() as f64 / self.blocks.len().max(1) as f64
    }

    /// How many blocks of a chain are here, counted from its beginning.
    pub fn found(&self, chain: impl Iterator<Item = u64>) -> usize {
        chain.take_while(|hash| self.index.contains_key(hash)).count()
    }

    /// Takes the blocks of a chain that was found, and `fresh` others after them. `None`, and nothing is
    /// taken, if there are too few.
    pub fn take(&mut self, found: impl Iterator<Item = u64>, fresh: usize) -> Option<Vec<BlockId>> {
        let mut taken: Vec<BlockId> = found.map_while(|hash| self.index.get(&hash).copied()).collect();
        let idle = taken.iter().filter(|id| self.blocks.get(id.0 as usize).is_some_and(|block| block.holders == 0));
        if idle.count() + fresh > self.free() {
            return None;
        }
        for id in &taken {
            if let Some(block) = self.blocks.get_mut(id.0 as usize) {
                if block.holders == 0 {
                    self.idle.remove(&block.released);
                }
                block.holders += 1;
            }
        }
        taken.extend((0..fresh).map_while(|_| self.take_one()));
        Some(taken)
    }

    /// Takes one block, whose old content is lost.
    pub fn take_one(&mut self) -> Option<BlockId> {
        let id = self.empty.pop().or_else(|| Some(self.idle.pop_first()?.1))?;
        let block = self.blocks.get_mut(id.0 as usize)?;
        if let Some(hash) = block.hash.take() {
            self.index.remove(&hash);
        }
        block.holders = 1;
        Some(id)
    }

    /// Says what a held block holds now. Of two blocks of equal content, the first stays the findable one.
    pub fn fill(&mut self, id: BlockId, hash: u64) {
        if !self.caching || self.index.contains_key(&hash) {
            return;
        }
        if let Some(block) = self.blocks.get_mut(id.0 as usize)
            && block.hash.is_none()
        {
            block.hash = Some(hash);
            self.index.insert(hash, id);
        }
    }

    /// Gives back all blocks of one sequence, in the order in which it took them.
    pub fn release(&mut self, blocks: Vec<BlockId>) {
        for id in blocks.into_iter().rev() {
            let Some(block) = self.blocks.get_mut(id.0 as usize) else { continue };
            block.holders = block.holders.saturating_sub(1);
            if block.holders > 0 {
                continue;
            }
            if block.hash.is_some() {
                self.releases += 1;
                block.released = self.releases;
                self.idle.insert(self.releases, id);
            } else {
                self.empty.push(id);
            }
        }
    }

    /// Forgets all contents; held blocks stay held.
    pub fn forget(&mut self) {
        self.index.clear();
        self.blocks.iter_mut().for_each(|block| block.hash = None);
        self.empty.extend(std::mem::take(&mut self.idle).into_values());
    }
}

#[cfg(test)]
mod tests;
