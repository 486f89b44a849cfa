//! What engines say of themselves: their `/metrics` page and their list of models, read as bytes.
//!
//! Only what scheduling uses is read. A page of vLLM has 800 lines of which ten matter, and a hundred pages
//! come in a second: so lines are looked at where they lie, by exact name, and nothing is kept of the rest.

mod exposition;
mod latency;
mod models;
mod names;
mod observer;
mod reader;
mod transport;

pub use models::{Model, ModelsError, read_models};
pub use observer::{Foreign, Observation, Observer};
pub use reader::{Adapters, MetricsReader, Reading, Totals};
pub use transport::{Transport, Trust};

use serde::Serialize;

/// The software in an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum EngineType {
    /// vLLM.
    #[serde(rename = "vLLM")]
    Vllm,
    /// SGLang.
    #[serde(rename = "SGLang")]
    Sglang,
}

impl EngineType {
    /// As `spec.inferenceEngine` of a ModelServer writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vllm => "vLLM",
            Self::Sglang => "SGLang",
        }
    }
}
