//! Where the objects come from when there are no manifests: engines that are asked what they are.
//!
//! Each engine is asked for its models again and again, on a task of its own, so that one that is slow delays no
//! other. What was found is a list of [`State`]s; [`snapshot`] makes of it the objects that somebody would have
//! written by hand. Nothing behind that knows that nobody did.
//!
//! The rule of the directory holds here too: what is served never gets worse because of a moment. An engine that was
//! known keeps its models; after some failures in a row its Pod is not ready, and one answer makes it so again. The
//! states are kept in a file, so that a router that starts anew does not forget an engine that is busy just then.

mod engine;
mod engine_url;
mod follow;
mod memory;
mod name;
mod probe;
mod resources;
mod state;

pub use engine_url::{EngineUrl, distinct};
pub use follow::follow;
pub use memory::{recall, state_file};
pub use resources::snapshot;
pub use state::State;
