//! How prompts are to be hashed and remembered.

/// Arguments of `prefix-cache`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrefixArguments {
    /// Bytes of a block of a prompt.
    pub block_size: u32,
    /// Blocks of a prompt that are hashed.
    pub max_blocks: u32,
    /// Blocks that are remembered of an endpoint.
    pub cache_size: u32,
}

// === impl PrefixArguments ===

impl Default for PrefixArguments {
    /// Upstream's.
    fn default() -> Self {
        Self { block_size: 64, max_blocks: 128, cache_size: 50_000 }
    }
}
