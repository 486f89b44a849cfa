//! Prompt prefixes: which endpoint computed which before, so that it need not compute it again.

mod index;

pub use index::{Index, Learned, MAX_ENDPOINTS, MAX_PAIRS, Stamp};
