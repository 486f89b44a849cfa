//! The simulator over real sockets: what a client, a proxy and a test see of it.
//!
//! Expected texts are those of a real vLLM 0.32.

mod answers;
mod connections;
mod failures;
mod models;
mod received;
mod streams;
mod support;
