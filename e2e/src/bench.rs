//! What the data plane costs, beside what a plain Envoy costs: what the rows of `make bench` share.
//!
//! Processor time is taken from the kernel's accounts, for each process by itself. So it does not matter to a ratio
//! that the load generator, the engines and what is measured share a machine, as long as nobody else is on it: that is
//! measured too, and a sample that was taken in company is taken again.

mod accounts;
mod engines;
mod envoy;
mod line;
mod load;
mod many;
mod plan;
mod prompts;
mod rows;
mod sides;
mod statistics;
mod window;

pub use accounts::{Machine, Used};
pub use engines::{Counts, Engines, serve};
pub use envoy::PlainEnvoy;
pub use line::Line;
pub use load::{Load, Report, Running};
pub use plan::{COMPANY, Plan, Taken};
pub use prompts::{Chat, bodies};
pub use rows::{ROWS, Row, Shared};
pub use sides::{MODEL, Side, Sides, pod, served, workers};
pub use statistics::{Spread, percentile};
pub use window::{Sample, Window};
