//! The endpoint picker: Envoy asks over ext_proc which pod serves a request, core decides, this answers.
//!
//! It knows no Kubernetes: whoever composes it publishes [`Pools`]. Requests outlive it: when it is away,
//! Envoy serves without a pick.

pub mod access_log;
pub mod debug;
mod decisions;
pub mod otlp;
mod picker;
pub mod scrape;
mod service;
pub mod telemetry;

pub use decisions::{Decisions, Record};
pub use picker::{Picker, Pool, Pools, Profiles, Ticket};
pub use service::{convert as messages, routes};
