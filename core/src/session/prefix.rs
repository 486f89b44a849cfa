//! The prompt's hash chain, as the picker is told it.

use crate::openai::Prompt;
use crate::prefix::{self, Blocks, Chain};
use std::ops::{ControlFlow, Range};

/// The header's value: the chain of a prompt for `model`, the name that the engine is asked for. `None` for a prompt
/// without text, and for one that cannot be read any more: it is picked for without.
pub(super) fn chain(
    prompt: &Prompt,
    blocks: Blocks,
    model: &str,
    body: impl FnMut(Range<usize>) -> Option<Vec<u8>>,
) -> Option<String> {
    let mut chain = Chain::new(blocks, model);
    let feed = |bytes: &[u8]| {
        chain.feed(bytes);
        if chain.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    prompt.walk(body, feed).ok()?;
    Some(prefix::encode(&chain.finish())).filter(|text| !text.is_empty())
}
