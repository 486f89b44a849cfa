//! Kthena's decisions, and nothing else: no I/O, no clock, no async.
//!
//! Everything here compiles for the native targets and for `wasm32-wasip1`; time and randomness are
//! arguments. The adapters (`wasm-filter`, `ext-proc`) feed it bytes and perform what it answers.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)
)]

pub mod access_log;
pub mod config;
pub mod engine;
pub mod fleet;
pub mod form;
pub mod gen_ai;
pub mod latency;
pub mod openai;
pub mod prefix;
pub mod reply;
pub mod routing;
pub mod scheduling;
pub mod session;
pub mod wire;
