//! A stand-in inference engine that answers as vLLM 0.32 or SGLang 0.5.23 does, without a model.
//!
//! Everything that talks to an engine (router, picker, Envoy configuration, a user's first trial)
//! needs one that starts at once, costs no GPU, says the same thing twice and tells what it was
//! sent. Real engines do none of that. What the wire looks like is taken from captures of a real
//! vLLM and from its sources; where the two faces differ, the README says so.
//!
//! `engine` decides *when* tokens come and *which*; `http` holds the faces that engines put on them;
//! `wire` spells the bytes; `faults` says what is to go wrong, and `server` does it to connections.
//! The engine knows nothing of the others; `virtual_engine` is the engine alone, on a clock of the caller's.

mod catalog;
mod engine;
mod faults;
mod http;
mod options;
mod received;
mod server;
mod virtual_engine;
mod wire;

pub use faults::Fault;
pub use options::{Capacity, Face, Manners, Options, Tls};
pub use server::{Simulator, run, serve};
pub use virtual_engine::{Ask, Snapshot, Step, VirtualEngine};
