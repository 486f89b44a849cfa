//! The xDS server: state of the world over one aggregated stream.
//!
//! What Envoy refuses is reported and not offered again: Envoy keeps what it has, and an Envoy that
//! starts later is given the last version that was accepted.

mod cache;
mod server;
mod snapshot;

pub use cache::{Cache, Status, TypeStatus};
pub use server::{Server, TYPE_URLS};
pub use snapshot::{Resource, Snapshot};
