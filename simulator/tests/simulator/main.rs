//! The simulator over real sockets: what a client, a proxy and a test see of it.
//!
//! Expected texts are those of a real vLLM 0.32; of SGLang, those of its sources.

mod answers;
mod audio;
mod connections;
mod failures;
mod faults;
mod leaving;
mod manners;
mod metrics;
mod models;
mod received;
mod sglang;
mod shapes;
mod streams;
mod support;
mod tokens;
mod tools;
