//! `--simulate`: which simulated engines there should be, where, and how they follow the manifests.

mod fleet;
mod loopback;
mod plan;
mod pod;
pub mod wait;

pub use fleet::{Change, Fleet, Simulator};
