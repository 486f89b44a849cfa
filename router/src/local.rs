//! For whoever runs Envoy beside the router: what the layers below know and a local mode must say or write.
//!
//! The local mode imports this crate only, so that Envoy's room can change without it.

pub use crate::publish::settings;
pub use kthena_core::config::Compiled;
pub use kthena_core::routing::{Server, Target, TargetRoute};
pub use kthena_envoy::bootstrap::bootstrap;
pub use kthena_envoy::{Capacity, DataPlane, SIMULATED_FOR, Settings, Sockets, Tls, Tracing, compile, port};
