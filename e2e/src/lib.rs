//! Harness of the process tests: the real `kthena`, Envoy and filter module, driven from outside.
//!
//! What a unit test can show is shown beside the code. Here is what only the running processes can:
//! that Envoy does with our configuration what we think, and that nothing of it depends on any one of
//! our processes staying alive. Every instance has a loopback address of its own, so that tests run in
//! parallel with each other and with whatever else the machine serves.

mod address;
mod answer;
mod authority;
pub mod bench;
mod binaries;
mod browser;
pub mod chaos;
mod client;
mod collector;
pub mod conformance;
mod engine;
mod generated;
mod kthena;
pub mod manifests;
mod output;
pub mod page;
pub mod picker;
mod plane;
mod pod;
mod scratch;
mod scripted;
mod setup;
mod spawner;
mod speaks;
mod until;
mod vllm;

pub use address::Loopback;
pub use answer::{Answer, Stream};
pub use authority::Authority;
pub use binaries::{envoy, filter_module, kthena, python_with_clients, router};
pub use browser::Page;
pub use client::{Client, chat, streamed};
pub use collector::{Collector, Point, Span};
pub use engine::Engine;
pub use generated::replace_generated;
pub use kthena::{Kthena, is_alive};
pub use output::Output;
pub use picker::FakePicker;
pub use plane::Plane;
pub use pod::{Launch, Pod};
pub use scratch::directory;
pub use scripted::{Says, Scripted};
pub use setup::{Failure, Setup};
pub use spawner::spawn;
pub use speaks::Speaks;
pub use until::{DEADLINE, until};
pub use vllm::Vllm;
