//! Names of block contents: a block's hash covers its own tokens and all before it, so equal hashes
//! mean equal prefixes. An adapter and a salt are part of every hash, as in vLLM: what one of them
//! computed is of no use to another.

use super::random::{SplitMix64, digest64};

/// The hash of a growing text, told at the end of each block.
#[derive(Debug, Clone, Copy)]
pub struct Chain {
    state: u64,
    /// Tokens of the block that is not full yet.
    filled: u32,
    block_size: u32,
}

// === impl Chain ===

impl Chain {
    /// `block_size` is at least one.
    pub fn new(block_size: u32, adapter: Option<&str>, salt: Option<&str>) -> Self {
        // A name's digest has eight bytes, an absent one none: an empty name is another root.
        let part =
            |name: Option<&str>| name.map_or(Vec::new(), |name| digest64(&[name.as_bytes()]).to_le_bytes().into());
        Self { state: digest64(&[&part(adapter), &part(salt)]), filled: 0, block_size }
    }

    /// Adds a token. The hash of the block that it completes, if it does.
    pub fn push(&mut self, token: u32) -> Option<u64> {
        self.state = SplitMix64::at(self.state, token.into());
        self.filled += 1;
        if self.filled < self.block_size {
            return None;
        }
        self.filled = 0;
        Some(self.state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(adapter: Option<&str>, salt: Option<&str>, tokens: &[u32]) -> Vec<u64> {
        let mut chain = Chain::new(2, adapter, salt);
        tokens.iter().filter_map(|token| chain.push(*token)).collect()
    }

    #[test]
    fn only_full_blocks_have_a_hash_and_it_covers_all_before_them() {
        let plain = hashes(None, None, &[1, 2, 3, 4, 5]);
        assert_eq!(plain.len(), 2);
        assert_eq!(hashes(None, None, &[1, 2, 3, 9])[0], plain[0]);
        assert_ne!(hashes(None, None, &[1, 9, 3, 4])[1], plain[1]);
    }

    #[test]
    fn an_adapter_or_a_salt_makes_other_hashes() {
        let names = [(None, None), (Some("a"), None), (None, Some("a")), (Some(""), None), (Some("a"), Some("a"))];
        let mut seen: Vec<_> = names.iter().map(|(adapter, salt)| hashes(*adapter, *salt, &[1, 2])).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), names.len());
    }
}
