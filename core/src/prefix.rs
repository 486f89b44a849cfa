//! The beginning of a prompt as a chain of block hashes, so that prompts with a common beginning can be sent
//! to where an engine's KV cache holds it already.
//!
//! The filter cuts the canonical prompt ([`crate::openai::Prompt::walk`]) into [`Blocks`], feeds it to a [`Chain`]
//! and sends the hashes in a header ([`encode`]); the picker looks them up in its [`Index`], which says who holds how
//! much of it. Equal hashes at one place mean equal
//! prompts up to there, asked of one model.
//!
//! The chain is upstream Kthena's, whose prompts end at `maxBlocksToMatch` blocks (8 KiB); here longer blocks
//! follow, so that prompts which differ only behind that are told apart too.

mod blocks;
mod chain;
mod encoding;
mod index;

pub use blocks::{Blocks, MAX_HASHES};
pub use chain::Chain;
pub use encoding::{decode, encode};
pub use index::{Index, Learned, MAX_ENDPOINTS, MAX_PAIRS, Stamp};
