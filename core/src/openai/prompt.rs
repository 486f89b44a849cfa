//! Where a request's prompt is, and how long.
//!
//! Text is not copied out of the body: the parts say where it is, and a reader that needs it (a
//! prefix hash, say) is told it piece by piece ([`Prompt::walk`]). The parts are listed in the order of the *canonical prompt*,
//! the one string that prefix hashes and token estimates are taken from and that upstream Kthena
//! defines: a completion's prompt as it is; a chat as, for each message,
//! `<|im_start|>` role `\n` content `<|im_end|>` `\n`, the parts of one content joined with `\n`.

mod collect;
#[cfg(test)]
mod tests;
mod walk;

pub(super) use self::collect::{PromptReader, Text};
pub use self::walk::Unreadable;
use super::Span;

/// A request's prompt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prompt {
    /// The field it is in; `None` when no such field holds a string or an array.
    ///
    /// When several do, `prompt` goes before `messages` and `messages` before `input`.
    pub kind: Option<PromptKind>,
    /// Its text in canonical order, at most 8,192 parts.
    pub parts: Vec<PromptPart>,
    /// Whether parts were left out beyond that bound; those kept are the first.
    pub truncated: bool,
    /// Unicode code points of the whole canonical prompt, its markers included.
    ///
    /// Of several prompts in one array, the sum; of token ids, images and tool calls, nothing.
    pub chars: u64,
}

/// The field that holds a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromptKind {
    /// `prompt`, of completions.
    Prompt,
    /// `messages`, of chat completions and of Anthropic's messages.
    Messages,
    /// `input`, of embeddings and responses.
    Input,
}

/// One string of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PromptPart {
    /// What the string is to the prompt.
    pub role: PartRole,
    /// The ordinal of the message (or of the prompt in an array of them) that it belongs to.
    pub message: u32,
    /// The string as the client wrote it, without its quotes.
    pub span: Span,
    /// Whether it contains backslash escapes, so that its text is not the bytes at `span`.
    pub escaped: bool,
}

/// What a string is to a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartRole {
    /// A completion's prompt, or one of an array of them.
    Prompt,
    /// A message's role; the message's contents follow.
    Role,
    /// A message's content, or one text part of it.
    Content,
    /// Anthropic's top-level `system`, or one text part of it: a message whose role is `system`.
    System,
    /// The top-level `instructions` beside an `input`: a message whose role is `developer`.
    Instructions,
    /// An `input` that is a string, or one of an array of them: a message whose role is `user`.
    Input,
}

impl Prompt {
    /// Upstream Kthena's estimate of the prompt's tokens: four code points each, rounded up.
    pub fn estimate_tokens(&self) -> u64 {
        self.chars.div_ceil(4)
    }
}
