//! The endpoint picker: Envoy asks over ext_proc which pod serves a request, core decides, this answers.
//!
//! It knows no Kubernetes: whoever composes it publishes [`Pools`]. Requests outlive it: when it is away,
//! Envoy serves without a pick.

pub mod debug;
mod decisions;
mod picker;
mod service;
pub mod telemetry;

pub use decisions::{Decisions, Record};
pub use picker::{Picker, Pools, Ticket};
pub use service::routes;
