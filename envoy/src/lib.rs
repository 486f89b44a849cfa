//! From resources to a running Envoy: compile (pure), render (pure), serve (xDS over ADS).
//!
//! [`compile`] turns what users wrote into a [`DataPlane`]; [`Renderer`] turns that into Envoy's
//! own resources; [`xds`] serves them and hears what Envoy refuses; [`bootstrap`] writes the little that
//! Envoy must know before it asks.

pub mod bootstrap;
mod bounds;
mod compile;
mod data_plane;
mod render;
mod tracing;
pub mod xds;

pub use bounds::{Capacity, Patience};
pub use compile::{PORT, Profiles, SIMULATED_FOR, Settings, compile, port};
pub use data_plane::{DataPlane, EngineEndpoint, Listener, PickerPool, Tls};
pub use render::{ACCESS_LOG_FLUSH, Renderer, Sockets, Wiring};
pub use tracing::{Collector, CollectorTls, Sampling, Tracing};
pub use xds::Snapshot;
