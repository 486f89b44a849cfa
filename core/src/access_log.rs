//! What is told of a finished request: one [`Entry`], from which log lines and metrics are made.

mod entry;

pub use entry::{Bound, Chunks, Entry, Failure, Phases, Usage};
