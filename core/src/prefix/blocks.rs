//! How a prompt is cut.

use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// The most hashes of one prompt. A header of them takes 4 KiB; by the default sizes they cover 16.8 MB.
pub const MAX_HASHES: usize = 512;

/// Behind the first [`Blocks::max`] blocks the size doubles each time that so many were cut: a block stays within
/// about 3 % of what precedes it, and a megabyte is 384 blocks.
const STEP: u32 = 32;

/// The sizes of the blocks that a prompt is cut into.
///
/// The first `max` have `size` bytes, as upstream cuts them; the next 32 twice as many, the 32 behind those four
/// times, and so on, [`MAX_HASHES`] in all. What is beyond does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Blocks {
    /// Bytes of a block, of [`Blocks::SIZES`]: the argument `blockSizeToHash`.
    pub size: u32,
    /// How many have that size, of [`Blocks::COUNTS`]: the argument `maxBlocksToMatch`.
    pub max: u32,
}

// === impl Blocks ===

impl Blocks {
    /// The sizes that there may be.
    pub const SIZES: RangeInclusive<u32> = 1..=65_536;
    /// The numbers of blocks of the first size that there may be.
    pub const COUNTS: RangeInclusive<u32> = 1..=MAX_HASHES as u32;

    /// Whether both numbers are in their ranges.
    pub fn is_valid(self) -> bool {
        Self::SIZES.contains(&self.size) && Self::COUNTS.contains(&self.max)
    }

    /// The bytes of the block at `index`, at least one; `None` where there is none.
    pub fn size_of(self, index: usize) -> Option<u64> {
        let index = u32::try_from(index).ok().filter(|index| (*index as usize) < MAX_HASHES)?;
        Some(self.doubled(index.checked_sub(self.max).map_or(0, |behind| behind / STEP + 1)))
    }

    /// The bytes that the first `hashes` hashes stand for, the last block taken as whole. So much of a prompt of
    /// `total` hashes matches as `covered(matched) / covered(total)`.
    pub fn covered(self, hashes: usize) -> u64 {
        let hashes = hashes.min(MAX_HASHES) as u32;
        let mut left = hashes.saturating_sub(self.max);
        let mut bytes = u64::from(hashes - left) * self.doubled(0);
        for doublings in 1.. {
            if left == 0 {
                break;
            }
            let step = left.min(STEP);
            bytes += u64::from(step) * self.doubled(doublings);
            left -= step;
        }
        bytes
    }

    /// 512 blocks double 17 times at the most, which 64 bits hold for any size.
    fn doubled(self, doublings: u32) -> u64 {
        u64::from(self.size.max(1)) << doublings
    }
}

/// Upstream's defaults.
impl Default for Blocks {
    fn default() -> Self {
        Self { size: 64, max: 128 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn blocks_double_behind_the_first_ones_and_end_with_the_last_hash() {
        let blocks = Blocks::default();
        let sizes = [0, 127, 128, 159, 160, 511].map(|index| blocks.size_of(index).unwrap());
        assert_eq!(sizes, [64, 64, 128, 128, 256, 64 << 12]);
        assert_eq!(blocks.size_of(512), None);
        assert_eq!(blocks.size_of(usize::MAX), None);
    }

    #[test]
    fn a_megabyte_is_some_four_hundred_blocks_each_of_a_small_part_of_what_precedes_it() {
        let blocks = Blocks::default();
        assert_eq!(blocks.covered(128), 8192, "as upstream");
        assert_eq!((1..).find(|hashes| blocks.covered(*hashes) >= 1 << 20), Some(384));
        assert_eq!(blocks.covered(512), 8192 + 4096 * 4095);
        for index in 32..MAX_HASHES {
            let share = blocks.size_of(index).unwrap() as f64 / blocks.covered(index) as f64;
            assert!(share <= 1.0 / 32.0, "block {index}: {share}");
        }
    }

    #[test]
    fn no_numbers_are_too_strange_to_compute_with() {
        for (size, max) in [(0, 0), (1, 1), (65_536, 1), (u32::MAX, 0), (u32::MAX, u32::MAX)] {
            let blocks = Blocks { size, max };
            assert!(blocks.size_of(0).unwrap() >= 1);
            assert!(blocks.covered(usize::MAX) >= blocks.covered(1));
        }
        for (size, max, valid) in [(64, 128, true), (0, 1, false), (65_537, 1, false), (1, 0, false), (1, 513, false)] {
            assert_eq!(Blocks { size, max }.is_valid(), valid, "{size} {max}");
        }
    }

    proptest! {
        #[test]
        fn what_hashes_cover_is_the_sum_of_their_blocks(size in Blocks::SIZES, max in Blocks::COUNTS, n in 0..600usize) {
            let blocks = Blocks { size, max };
            let sum: u64 = (0..n).filter_map(|index| blocks.size_of(index)).sum();
            prop_assert_eq!(blocks.covered(n), sum);
        }
    }
}
