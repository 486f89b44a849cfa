//! Where a key goes in a hash table, for keys that are hashes already.

/// Spreads a hash of which the upper bits are zero: `hashbrown` tells the keys of a group apart by the top seven.
///
/// Fibonacci hashing: 2^64 divided by the golden ratio, odd, so that no two keys become one.
pub(super) fn spread(hash: u64) -> u64 {
    hash.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// A well mixed value for an endpoint's slot, to be combined by exclusive or.
///
/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
pub(super) fn mix(slot: u16) -> u64 {
    let mut x = (u64::from(slot) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
