//! The hashes, as the prompt passes.

use super::Blocks;
use xxhash_rust::xxh64::Xxh64;

/// The chain of a prompt's block hashes, fed piece by piece; it keeps the hashes and one hasher's state.
///
/// With XXH64 of seed 0: h₀ = XXH64(model), hᵢ = XXH64(decimal(hᵢ₋₁) ‖ blockᵢ), where `decimal` is the number in
/// ASCII digits. The chain is h₁, h₂, …; the last block may be shorter than its size (upstream's definition).
pub struct Chain {
    blocks: Blocks,
    hashes: Vec<u64>,
    /// Of the block that is open.
    hasher: Xxh64,
    /// Bytes that the open block has got.
    filled: u64,
    /// Bytes that make it whole; 0 when no further block is to come.
    size: u64,
}

// === impl Chain ===

impl Chain {
    /// The chain of nothing yet. `model` is the name that the engine is asked for: its KV cache knows no other.
    pub fn new(blocks: Blocks, model: &str) -> Self {
        let mut hasher = Xxh64::new(0);
        hasher.update(model.as_bytes());
        let mut chain = Self { blocks, hashes: Vec::new(), hasher, filled: 0, size: 0 };
        chain.open(chain.hasher.digest());
        chain
    }

    /// Takes the prompt's next bytes; what is beyond the last block is passed over.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.is_full() {
            let lacking = usize::try_from(self.size - self.filled).unwrap_or(usize::MAX);
            let (taken, rest) = bytes.split_at_checked(lacking).unwrap_or((bytes, &[]));
            self.hasher.update(taken);
            self.filled += taken.len() as u64;
            bytes = rest;
            if self.filled == self.size {
                self.close();
            }
        }
    }

    /// Whether nothing that is fed would count any more.
    pub fn is_full(&self) -> bool {
        self.size == 0
    }

    /// The hashes, the last one of what the open block has got, if anything.
    pub fn finish(mut self) -> Vec<u64> {
        if self.filled > 0 {
            self.close();
        }
        self.hashes
    }

    fn close(&mut self) {
        let hash = self.hasher.digest();
        self.hashes.push(hash);
        self.open(hash);
    }

    /// Begins the block behind that hash.
    fn open(&mut self, before: u64) {
        self.filled = 0;
        self.size = self.blocks.size_of(self.hashes.len()).unwrap_or(0);
        self.hasher.reset(0);
        self.hasher.update(itoa::Buffer::new().format(before).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::MAX_HASHES;
    use super::*;
    use proptest::{collection::vec, prelude::*};
    use xxhash_rust::xxh64::xxh64;

    fn chain(blocks: Blocks, model: &str, prompt: &[u8]) -> Vec<u64> {
        let mut chain = Chain::new(blocks, model);
        chain.feed(prompt);
        chain.finish()
    }

    /// The definition, block after block of the whole prompt.
    fn defined(blocks: Blocks, model: &str, mut prompt: &[u8]) -> Vec<u64> {
        let mut hashes = Vec::new();
        let mut hash = xxh64(model.as_bytes(), 0);
        while let Some(size) = blocks.size_of(hashes.len()).filter(|_| !prompt.is_empty()) {
            let (block, rest) = prompt.split_at(prompt.len().min(size as usize));
            hash = xxh64(&[hash.to_string().as_bytes(), block].concat(), 0);
            hashes.push(hash);
            prompt = rest;
        }
        hashes
    }

    #[test]
    fn the_chain_is_upstreams() {
        assert_eq!(xxh64(b"m", 0), 13_415_755_381_228_090_088);
        let prompt = "a".repeat(64) + &"b".repeat(10);
        let hashes = chain(Blocks::default(), "m", prompt.as_bytes());
        assert_eq!(hashes, [13_915_909_083_615_432_819, 1_600_122_997_977_819_646]);
    }

    #[test]
    fn nothing_has_no_hashes_and_a_whole_block_no_empty_one_behind_it() {
        assert!(chain(Blocks::default(), "m", b"").is_empty());
        assert_eq!(chain(Blocks::default(), "m", &[b'a'; 64]).len(), 1);
        assert_eq!(chain(Blocks::default(), "m", &[b'a'; 65]).len(), 2);
    }

    #[test]
    fn a_prompt_behind_the_last_block_does_not_count() {
        let blocks = Blocks { size: 1, max: 512 };
        let mut long = Chain::new(blocks, "m");
        long.feed(&[b'a'; 511]);
        assert!(!long.is_full());
        long.feed(&[b'a'; 3]);
        assert!(long.is_full());
        long.feed(b"more");
        let hashes = long.finish();
        assert_eq!(hashes.len(), MAX_HASHES);
        assert_eq!(hashes, chain(blocks, "m", &[b'a'; 512]));
    }

    #[test]
    fn prompts_that_differ_behind_the_first_eight_kilobytes_differ_behind_their_common_hashes() {
        let (mut one, mut other) = (vec![b'x'; 50_000], vec![b'x'; 50_000]);
        (one[40_000], other[40_000]) = (b'1', b'2');
        let blocks = Blocks::default();
        let (one, other) = (chain(blocks, "m", &one), chain(blocks, "m", &other));
        let common = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
        assert!(common < one.len() && one.len() == other.len());
        assert!((38_000..=40_000).contains(&blocks.covered(common)), "{} bytes", blocks.covered(common));
        assert_ne!(chain(blocks, "m", b"x"), chain(blocks, "n", b"x"), "another model");
    }

    fn blocks() -> impl Strategy<Value = Blocks> {
        (1u32..40, 1u32..=20).prop_map(|(size, max)| Blocks { size, max })
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            blocks in blocks(), model in ".{0,9}", pieces in vec(vec(any::<u8>(), 0..300), 0..20),
        ) {
            let mut chain = Chain::new(blocks, &model);
            pieces.iter().for_each(|piece| chain.feed(piece));
            prop_assert_eq!(chain.finish(), defined(blocks, &model, &pieces.concat()));
        }

        #[test]
        fn a_longer_prompt_extends_the_whole_blocks_of_a_shorter(
            blocks in blocks(), prompt in vec(any::<u8>(), 0..3000), more in vec(any::<u8>(), 0..300),
        ) {
            let short = chain(blocks, "m", &prompt);
            let long = chain(blocks, "m", &[&prompt[..], &more].concat());
            let whole = (0..short.len()).filter(|n| blocks.covered(n + 1) <= prompt.len() as u64).count();
            prop_assert_eq!(&short[..whole], &long[..whole]);
            prop_assert!(short.len() - whole <= 1);
        }
    }
}
