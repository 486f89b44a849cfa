//! What upstream's `prefix-cache` remembers: hashes of the first 8 KB of prompts that an engine answered, the longest
//! unused ones forgotten.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::policy::BYTES_PER_TOKEN;

/// One list for each engine.
#[derive(Debug)]
pub struct PrefixCache {
    engines: Vec<Recent>,
}

#[derive(Debug, Default)]
struct Recent {
    /// When a hash was last learnt.
    learnt: HashMap<u64, u64>,
    order: BTreeMap<u64, u64>,
    turn: u64,
}

/// `blockSizeToHash`, in tokens.
const BLOCK: usize = 64 / BYTES_PER_TOKEN;
/// `maxBlocksToMatch`
const BLOCKS: usize = 128;
/// `maxHashCacheSize`
const HASHES: usize = 50_000;

/// The hash of each block covers all before it. Only which are equal matters, so the function is not upstream's.
pub fn chain(prompt: &[u32]) -> Vec<u64> {
    let blocks = prompt.chunks(BLOCK).take(BLOCKS);
    let chain = blocks.scan(0_u64, |before, block| {
        let mut hasher = DefaultHasher::new();
        (*before, block).hash(&mut hasher);
        *before = hasher.finish();
        Some(*before)
    });
    chain.collect()
}

// === impl PrefixCache ===

impl PrefixCache {
    pub fn new(engines: usize) -> Self {
        Self { engines: (0..engines).map(|_| Recent::default()).collect() }
    }

    /// Blocks up to the last one that is known.
    pub fn matched(&self, engine: usize, chain: &[u64]) -> usize {
        let Some(recent) = self.engines.get(engine) else { return 0 };
        chain.iter().rposition(|hash| recent.learnt.contains_key(hash)).map_or(0, |last| last + 1)
    }

    /// An engine has answered a prompt.
    pub fn learn(&mut self, engine: usize, chain: &[u64]) {
        if let Some(recent) = self.engines.get_mut(engine) {
            // The deepest first, so that it is also forgotten first.
            chain.iter().rev().for_each(|hash| recent.touch(*hash));
        }
    }
}

// === impl Recent ===

impl Recent {
    fn touch(&mut self, hash: u64) {
        self.turn += 1;
        if let Some(before) = self.learnt.insert(hash, self.turn) {
            self.order.remove(&before);
        }
        self.order.insert(self.turn, hash);
        if self.learnt.len() > HASHES
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.learnt.remove(&oldest);
        }
    }
}
