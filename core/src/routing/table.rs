//! The table that the filter routes by: data only, small on the wire.

use super::{BackoffClass, Pattern};
use crate::prefix::Blocks;
use serde::{Deserialize, Serialize};

/// Everything the filter needs to know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Counts up with every change; shown in logs and metrics.
    pub version: u64,
    /// Bodies beyond this many bytes are refused.
    pub max_request_body_bytes: u64,
    /// Whether the credentials that clients send are kept from engines.
    pub drop_credentials: bool,
    /// Every ModelServer that a route names, there or not.
    pub servers: Vec<Server>,
    /// Oldest first: the first that takes a request wins.
    pub routes: Vec<TargetRoute>,
}

/// A ModelServer, as far as the filter is concerned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Server {
    /// `namespace/name`.
    pub name: String,
    /// Whether it exists and can be reached.
    pub state: ServerState,
    /// `spec.model`: replaces the client's model name, except a LoRA adapter's.
    pub model: Option<String>,
    /// Milliseconds until an attempt must have answered with headers; 0 = no limit.
    pub header_timeout_ms: u32,
    /// Retries after the first try.
    pub retries: u32,
    /// The pause between them.
    pub backoff: BackoffClass,
    /// Whether a request that the picker named no endpoint for is refused, rather than served by any of this
    /// ModelServer's endpoints.
    pub fail_close: bool,
    /// How its prompts are hashed for the picker; `None` where nobody asks for the hashes.
    pub prefix: Option<Blocks>,
}

/// Whether a target can be reached; flips only between none and some.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerState {
    /// No such ModelServer.
    Missing,
    /// It exists without one ready endpoint.
    Empty,
    /// It has endpoints.
    Serving,
}

/// A ModelRoute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetRoute {
    /// `namespace/name`.
    pub name: String,
    /// `spec.modelName`, if any.
    pub model: Option<String>,
    /// `spec.loraAdapters`.
    pub adapters: Vec<String>,
    /// First match wins.
    pub rules: Vec<Rule>,
}

/// One rule: when, and whereto.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// All must hold; the default matches everything.
    pub matches: RuleMatch,
    /// Chosen by weight.
    pub targets: Vec<Target>,
}

/// The conditions of a rule, all of which must hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RuleMatch {
    /// Header name (lower case) and how its first value must look.
    pub headers: Vec<(String, Pattern)>,
    /// How the path without its query must look.
    pub uri: Option<Pattern>,
    /// The model that the body must name.
    pub model: Option<String>,
}

/// A weighted destination.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Target {
    /// An index into [`Table::servers`].
    Server {
        /// Which.
        index: u32,
        /// Its share among the rule's targets.
        weight: u32,
    },
    /// An ExternalModelProvider (`namespace/name`), which is not served yet.
    Provider {
        /// Which.
        name: String,
        /// Its share among the rule's targets.
        weight: u32,
    },
}

// === impl Target ===

impl Target {
    /// Its share among the rule's targets.
    pub fn weight(&self) -> u32 {
        match self {
            Self::Server { weight, .. } | Self::Provider { weight, .. } => *weight,
        }
    }
}

// === impl Table ===

impl Default for Table {
    fn default() -> Self {
        Self {
            version: 0,
            max_request_body_bytes: crate::config::DEFAULT_MAX_REQUEST_BODY_BYTES,
            drop_credentials: false,
            servers: Vec::new(),
            routes: Vec::new(),
        }
    }
}
