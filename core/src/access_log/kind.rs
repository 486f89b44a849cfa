//! Why requests fail, in the words that dashboards and alerts of upstream's users know.

use serde::{Deserialize, Serialize};

/// The access log's `error.type`.
///
/// New kinds go to the end: the filter tells the kind by its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// The body is too large, no JSON object, or names no model.
    RequestParsing,
    /// The path's protocol has a prompt, and the body has none.
    PromptParsing,
    /// No ModelRoute takes the request.
    RouteNotFound,
    /// The ModelServer is missing, or none of its Pods is ready.
    PodDiscovery,
    /// No endpoint could be chosen.
    Scheduling,
    /// Engines could not be reached, broke off, took too long or failed.
    Proxy,
    /// The client went away before its answer was whole.
    ResponseForwarding,
    /// The rule's external provider is not there.
    ProviderDiscovery,
    /// The engine refused, after its 200, what the client asked.
    RequestFailed,
}

// === impl Kind ===

impl Kind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::RequestParsing,
        Self::PromptParsing,
        Self::RouteNotFound,
        Self::PodDiscovery,
        Self::Scheduling,
        Self::Proxy,
        Self::ResponseForwarding,
        Self::ProviderDiscovery,
        Self::RequestFailed,
    ];

    /// As logs and metrics say it.
    pub fn name(self) -> &'static str {
        match self {
            Self::RequestParsing => "request_parsing",
            Self::PromptParsing => "prompt_parsing",
            Self::RouteNotFound => "route_not_found",
            Self::PodDiscovery => "pod_discovery",
            Self::Scheduling => "scheduling",
            Self::Proxy => "proxy",
            Self::ResponseForwarding => "response_forwarding",
            Self::ProviderDiscovery => "provider_discovery",
            Self::RequestFailed => "request_failed",
        }
    }
}
