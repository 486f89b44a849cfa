//! Numbers that are the same in every build: text and ids must not change with a compiler or a
//! dependency, so the generator is SplitMix64 (Steele, Lea, Flood 2014) and seeds come from SHA-256.

use sha2::{Digest, Sha256};

/// A small, well-mixed sequence; no value repeats within 2^64.
#[derive(Debug, Clone)]
pub struct SplitMix64(u64);

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

// === impl SplitMix64 ===

impl SplitMix64 {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        Self::mix(self.0)
    }

    /// The value at `index` of the sequence that `seed` starts, without walking there.
    pub fn at(seed: u64, index: u64) -> u64 {
        Self::mix(seed.wrapping_add(GAMMA.wrapping_mul(index.wrapping_add(1))))
    }

    fn mix(state: u64) -> u64 {
        let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        state ^ (state >> 31)
    }
}

/// A seed made of parts; where one part ends matters.
pub fn digest64(parts: &[&[u8]]) -> u64 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    first64(hash)
}

/// The first eight bytes of a digest, little-endian.
pub fn first64(hash: Sha256) -> u64 {
    hash.finalize().iter().take(8).rev().fold(0, |value, byte| (value << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_that_of_the_reference_code() {
        let mut random = SplitMix64::new(1_234_567);
        let values = [random.next(), random.next()];
        assert_eq!(values, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
        assert_eq!(SplitMix64::at(1_234_567, 1), values[1]);
    }

    #[test]
    fn a_digest_depends_on_where_parts_end() {
        assert_ne!(digest64(&[b"ab", b"c"]), digest64(&[b"a", b"bc"]));
    }
}
