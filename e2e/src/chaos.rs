//! Load, and something that breaks under it: what the lines of `make chaos` and their process tests share.
//!
//! A line starts simulated engines and Envoy as users do, puts load on, breaks one thing and counts what became of
//! every request. Lost is a request without a first byte although a healthy endpoint was there, and an answer that
//! was cut and did not say so; what was cut and said so has a count of its own.

mod line;
mod load;
mod memory;
mod reader;
mod run;
mod simulator;
mod stage;
mod tally;

pub use line::{CALM, LINES, Line, MEMORY};
pub use load::Spec;
pub use memory::{Memory, Sample};
pub use run::{Row, Word, run};
pub(crate) use stage::memory;
pub use tally::{Outcome, Tally};
