//! How prompts are to be hashed and remembered.

use crate::prefix::Blocks;

/// Arguments of `prefix-cache`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrefixArguments {
    /// How a prompt is cut.
    pub blocks: Blocks,
    /// Hashes that are remembered of an endpoint.
    pub cache_size: u32,
}

// === impl PrefixArguments ===

impl Default for PrefixArguments {
    /// Upstream's.
    fn default() -> Self {
        Self { blocks: Blocks::default(), cache_size: 50_000 }
    }
}
