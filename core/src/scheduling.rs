//! Which endpoints serve a request: filters drop, scorers rank, a picker orders, a [`Decision`] explains.
//!
//! The framework knows no Kubernetes and no engine type, and compiles for wasm32 too: picking inside the
//! filter is a later step. Scores are in [0, 1]; a profile sums them by weight. What is known of the
//! endpoints is kept by [`crate::fleet`].

mod candidate;
mod decision;
mod dropped;
mod filter;
mod headroom;
mod load;
mod lora;
mod picker;
mod plugin;
mod prefix;
mod profile;
mod scorer;
mod tuning;

pub use candidate::{Candidate, Endpoint, Known, Request};
pub use decision::{Decision, Saturated, Verdict};
pub use filter::{DEFAULT_MAX_WAITING, Filter, MaxWaiting, ServesModel};
pub use load::{Load, Signals, Snapshot};
pub use lora::LoraSlots;
pub use picker::{MAX_PICKS, MaxScore, Picker};
pub use plugin::{Arguments, Plugin};
pub use prefix::PrefixArguments;
pub use profile::{ASLEEP, EJECTED, Lap, Profile};
pub use scorer::{GpuUsage, LeastLatency, LeastRequest, LoraAffinity, PrefixCache, RandomScore, Scorer};

/// A source of uniform 64-bit values, handed in by whoever has one.
pub type Random<'a> = dyn FnMut() -> u64 + 'a;
