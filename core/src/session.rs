//! One request's life in the filter, without a host: events in, outcomes out.
//!
//! The adapter hands over the headers ([`Head::open`]), then the body chunk by chunk
//! ([`Session::feed`]), and asks for the verdict ([`Session::finish`], which reads the prompt once more); on the way back an
//! [`Answer`] reads what the engine reports. Nothing here panics: inside Envoy that would kill the VM.

mod answer;
mod head;
mod local;
mod models;
mod patience;
mod prefix;
mod request;
mod watch;

pub use answer::Answer;
pub use head::{Head, MAX_HEADER_BYTES, MAX_HEADERS, Opening, is_inference};
pub use local::Local;
pub use patience::{Patience, Patient, Progress};
pub use request::{Forward, Session};
pub use watch::Watch;

#[cfg(test)]
mod tests;
