//! What OpenAI-shaped requests and answers say, read without a DOM.
//!
//! A gateway needs a handful of facts from bodies that may be megabytes long: which model, streamed
//! or not, where the prompt's text is, what the engine counted. They are read while the bytes pass,
//! chunk by chunk, and the client's body is edited in place: what is not ours to change reaches the
//! engine as the client wrote it.
//!
//! - [`Scanner`] reads a request body into a [`Scan`]; [`Rewrite`] plans the edits that follow.
//! - [`UsageReader`] and [`BodyUsage`] read an answer's [`Usage`], streamed or whole, and a stream's [`StreamError`].

mod answer;
mod error;
mod lexer;
mod prompt;
#[cfg(test)]
mod properties;
mod rewrite;
mod scanner;
mod span;
mod sse;
mod usage;

pub use self::{
    error::ScanError,
    prompt::{PartRole, Prompt, PromptKind, PromptPart, Unreadable},
    rewrite::Rewrite,
    scanner::{Model, Scan, Scanner, StreamOptions, Switch},
    span::Span,
    sse::{Forward, StreamError, UsageReader},
    usage::{BodyUsage, Usage},
};
