//! What is told of a finished request: one [`Entry`], from which log lines and metrics are made.
//!
//! The filter knows the models and the tokens ([`Facts`]), Envoy the addresses, the attempts and the times;
//! whoever has both makes the entry.

mod entry;
mod escape;
mod facts;
mod json;
mod kind;
mod text;

pub use entry::{Bound, Chunks, Entry, Failure, Phases, Usage};
pub use facts::{Facts, FactsError};
pub use json::json;
pub use kind::Kind;
pub use text::text;

#[cfg(test)]
mod tests;
