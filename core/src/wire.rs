//! The header names that our parts speak with each other, once.
//!
//! Everything under [`PREFIX`] is ours alone: the filter strips what a client sent before it sets its
//! own (`x-kthena-model` is read first, being the one header a request without a body may send), and
//! Envoy removes the lot before the engine sees the request.

/// Headers that start with this are the filter's; a client's are stripped.
pub const PREFIX: &str = "x-kthena-";
/// The model that the client named; the one header of ours that a body-less request may send.
pub const MODEL: &str = "x-kthena-model";
/// `namespace/name` of the ModelServer that the request goes to.
pub const TARGET: &str = "x-kthena-target";
/// The ModelServer whose endpoints may serve when the picker names none; absent where only a pick may
/// ([`crate::routing::Server::fail_close`]).
pub const SUBSET: &str = "x-kthena-subset";
/// `namespace/name` of the ModelRoute that matched.
pub const ROUTE: &str = "x-kthena-route";
/// The name that the engine is asked for, after rewrite.
pub const UPSTREAM_MODEL: &str = "x-kthena-upstream-model";
/// The back-off class ([`crate::routing::BackoffClass`]) that selects Envoy's route.
pub const BACKOFF: &str = "x-kthena-backoff";
/// The hash chain of the prompt ([`crate::prefix::encode`]); absent where the prompt has no text, or the ModelServer's
/// profile has no use for one.
pub const PREFIX_CHAIN: &str = "x-kthena-prefix";
/// What the prompt takes in tokens, as a decimal estimate ([`crate::openai::Prompt::estimate_tokens`]); absent without
/// a body.
pub const TOKENS: &str = "x-kthena-tokens";
/// The request's key: [`crate::access_log::Facts::key`] in 16 hexadecimal digits.
pub const KEY: &str = "x-kthena-key";
/// [`RATIONED`] where the ModelServer's retry budget is spent ([`crate::routing::Budgets`]); absent otherwise.
pub const RETRIES: &str = "x-kthena-retries";
/// A value of [`RETRIES`].
pub const RATIONED: &str = "rationed";
/// Marks the filter's own answers, so that Envoy's reply mapping leaves them alone.
pub const LOCAL_REPLY: &str = "x-kthena-local-reply";
/// [`ANTHROPIC`] where the client's errors have that shape; absent for OpenAI's.
pub const SHAPE: &str = "x-kthena-shape";
/// A value of [`SHAPE`].
pub const ANTHROPIC: &str = "anthropic";
/// What the picker's refusals are called in Envoy's response code details: this, then the filter's name.
pub const SATURATED: &str = "kthena_saturated:";
/// The picker's answer: `ip:port` entries, best first (Gateway API Inference Extension's name).
pub const DESTINATION: &str = "x-gateway-destination-endpoint";

/// Says, where the configuration asks for it, which endpoint answered: `ip:port`.
pub const ENDPOINT: &str = "x-kthena-endpoint";

/// Names a request to all: the client's own, or one that Envoy made.
pub const REQUEST_ID: &str = "x-request-id";
/// What Anthropic's clients read it from, on the way back.
pub const ANTHROPIC_REQUEST_ID: &str = "request-id";

/// The property in which the filter leaves [`crate::access_log::Facts`].
pub const FACTS: &str = "kthena.facts";
/// What Envoy calls it in its filter state.
pub const FACTS_IN_ENVOY: &str = "wasm.kthena.facts";

/// What Envoy puts before the names of the filter's properties.
pub const IN_ENVOY: &str = "wasm.";

/// The log's tag that holds a request's trace id, where spans are made.
pub const TRACE_ID: &str = "trace_id";

/// Set in the filter's environment where spans are made of requests.
pub const TRACING: &str = "KTHENA_TRACING";

/// Envoy's property: how many tries of a request were begun, as an integer of 8 bytes, little-endian.
pub const TRIES_IN_ENVOY: [&str; 2] = ["upstream", "request_attempt_count"];
/// Envoy's property that the last try has once it is connected.
pub const CONNECTED_IN_ENVOY: [&str; 2] = ["upstream", "cx_pool_ready_duration"];

/// Envoy's own request headers for retries and timeouts: the filter sets them from the ModelServer.
pub mod envoy {
    /// How many retries after the first try.
    pub const MAX_RETRIES: &str = "x-envoy-max-retries";
    /// Which outcomes are retried.
    pub const RETRY_ON: &str = "x-envoy-retry-on";
    /// Milliseconds until a try must have answered with headers.
    pub const PER_TRY_TIMEOUT: &str = "x-envoy-upstream-rq-per-try-timeout-ms";
}

/// Whether a client may not send this header (lower case, as Envoy hands it over).
///
/// `x-envoy-*` from clients would set our retries and timeouts; only what Envoy itself adds for
/// addresses and requests is left.
pub fn is_reserved(name: &str) -> bool {
    name.starts_with(PREFIX)
        || name == DESTINATION
        || (name.starts_with("x-envoy-")
            && name != "x-envoy-external-address"
            && name != "x-envoy-original-path"
            && name != "x-envoy-internal"
            && name != "x-envoy-expected-rq-timeout-ms")
}

/// What clients show that they are who they say they are, to engines or to us.
const CREDENTIALS: [&str; 4] = ["authorization", "x-api-key", "api-key", "cookie"];

/// Whether a header (lower case) holds a credential that is for a proxy only, and so for no engine.
pub fn is_for_proxies(name: &str) -> bool {
    name == "proxy-authorization"
}

/// Whether a header (lower case) holds a credential that engines might want.
pub fn is_credential(name: &str) -> bool {
    CREDENTIALS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_may_not_steer_us() {
        for name in
            [TARGET, MODEL, "x-kthena-anything", DESTINATION, envoy::MAX_RETRIES, "x-envoy-upstream-rq-timeout-ms"]
        {
            assert!(is_reserved(name), "{name}");
        }
        for name in ["authorization", "x-request-id", "x-envoy-internal", "user-type", "x-kthen"] {
            assert!(!is_reserved(name), "{name}");
        }
    }
}
