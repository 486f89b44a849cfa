//! What is fuzzed: everything that reads bytes from outside, each with what must hold for any bytes.
//!
//! `tools/fuzz` runs the targets under libFuzzer; `tests/seeds.rs` feeds them their seeds in an ordinary test run, so
//! that they always compile and every finding that became a seed stays mended.

pub mod ext_proc_message;
pub mod form;
pub mod metrics_page;
pub mod request_scanner;
pub mod session;
pub mod sse_usage;
pub mod table;

/// A target: it panics when something that must hold does not.
pub type Target = fn(&[u8]);

/// Every target by the name of its program and of its folder of seeds.
pub const TARGETS: &[(&str, Target)] = &[
    ("ext_proc_message", ext_proc_message::run),
    ("form", form::run),
    ("metrics_page", metrics_page::run),
    ("request_scanner", request_scanner::run),
    ("session", session::run),
    ("sse_usage", sse_usage::run),
    ("table", table::run),
];

/// A place in `bytes` that changes with them.
fn somewhere(bytes: &[u8]) -> usize {
    bytes.iter().map(|byte| usize::from(*byte)).sum::<usize>() % (bytes.len() + 1)
}
