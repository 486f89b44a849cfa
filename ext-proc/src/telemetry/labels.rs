//! From a finished request to label values, each from a set that no client can widen.

use super::family::{NONE, OTHER, UNKNOWN};
use axum::http::StatusCode;
use kthena_core::access_log::Entry;

/// The paths that are told apart; the rest is `other`.
pub(super) const PATHS: [&str; 13] = [
    "/v1/audio/speech",
    "/v1/audio/transcriptions",
    "/v1/audio/translations",
    "/v1/chat/completions",
    "/v1/classify",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/messages",
    "/v1/moderations",
    "/v1/pooling",
    "/v1/rerank",
    "/v1/responses",
    "/v1/score",
];

/// Values of `error_type` when a request failed; those of features that are not built yet included.
const ERROR_TYPES: [&str; 17] = [
    "external_provider_proxy",
    "inference_pool_discovery",
    "inference_pool_selection",
    "pod_discovery",
    "port_discovery",
    "prompt_parsing",
    "provider_config",
    "provider_discovery",
    "provider_request_build",
    "proxy",
    "rate_limit",
    "request_protocol",
    "response_forwarding",
    "route_not_found",
    "scheduling",
    "upstream_response",
    "upstream_transport",
];

/// The value of `error_type` when it did not.
const SUCCESS: &str = "successful_request";

const BACKEND_TYPES: [&str; 3] = ["external_provider", "inference_pool", "model_server"];
/// The request ended before it was bound to a destination.
const UNRESOLVED: &str = "unresolved";

/// What most families are told apart by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Labels<'a> {
    pub(crate) model: &'a str,
    pub(super) path: &'static str,
    pub(super) status: &'a str,
    pub(crate) error: &'static str,
    pub(super) route: &'a str,
    pub(super) backend_type: &'static str,
    pub(crate) backend: &'a str,
    pub(crate) upstream_model: &'a str,
}

// === impl Labels ===

impl<'a> Labels<'a> {
    /// The labels of a request; `status` is [`status`] of its status.
    pub(crate) fn of(entry: &'a Entry, status: &'a str) -> Self {
        let bound = entry.bound.as_ref();
        let backend_type = bound.and_then(|bound| BACKEND_TYPES.into_iter().find(|known| *known == bound.backend_type));
        Self {
            model: if entry.model_known { &entry.model } else { UNKNOWN },
            path: path(&entry.path),
            status,
            error: error_type(entry),
            route: entry.model_route.as_deref().unwrap_or(NONE),
            backend_type: backend_type.unwrap_or(UNRESOLVED),
            backend: bound.map_or(NONE, |bound| &bound.backend),
            upstream_model: bound.map_or(NONE, |bound| &bound.upstream_model),
        }
    }

    /// Whether the request failed.
    pub(crate) fn failed(&self) -> bool {
        self.error != SUCCESS
    }
}

/// One of [`PATHS`], or `other`.
fn path(path: &str) -> &'static str {
    PATHS.into_iter().find(|known| *known == path).unwrap_or(OTHER)
}

/// A registered status as it is, another one as its class: `599` is `5xx`. 0 is a client that went away
/// before it got any.
pub(super) fn status(status: u16) -> String {
    // 499 and 529 are not registered, but said by proxies and by Anthropic.
    let known = StatusCode::from_u16(status).is_ok_and(|status| status.canonical_reason().is_some());
    match status {
        0 | 499 | 529 => status.to_string(),
        _ if known => status.to_string(),
        100..=599 => format!("{}xx", status / 100),
        _ => OTHER.to_owned(),
    }
}

/// Upstream's vocabulary, in which the metrics have fewer words than the access log.
fn error_type(entry: &Entry) -> &'static str {
    let known = |word: &str| ERROR_TYPES.into_iter().find(|known| *known == word);
    match entry.failure.as_ref().map(|failure| failure.kind) {
        Some("model_route_matching") => "route_not_found",
        Some("input_rate_limit" | "output_rate_limit") => "rate_limit",
        Some(kind) => known(kind).unwrap_or("request_failed"),
        None if (100..400).contains(&entry.status) => SUCCESS,
        None => "request_failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kthena_core::access_log::{Bound, Failure};

    fn failed(kind: &'static str, status: u16) -> Entry {
        let failure = Some(Failure { kind, message: String::new() });
        Entry { status, failure, ..Entry::default() }
    }

    #[test]
    fn a_request_that_was_served_says_where() {
        let entry = Entry {
            status: 200,
            path: "/v1/chat/completions".into(),
            model: "chat".into(),
            model_known: true,
            model_route: Some("default/r".into()),
            bound: Some(Bound {
                backend_type: "model_server",
                backend: "default/s".into(),
                upstream_model: "org/m".into(),
            }),
            ..Entry::default()
        };
        let expected = Labels {
            model: "chat",
            path: "/v1/chat/completions",
            status: "200",
            error: "successful_request",
            route: "default/r",
            backend_type: "model_server",
            backend: "default/s",
            upstream_model: "org/m",
        };
        assert_eq!(Labels::of(&entry, "200"), expected);
    }

    #[test]
    fn a_model_that_nobody_offers_is_unknown_and_unresolved() {
        let entry = Entry { model: "made-up".into(), path: "/v1/x".into(), ..failed("route_not_found", 404) };
        let labels = Labels::of(&entry, "404");
        assert_eq!((labels.model, labels.path, labels.error), ("unknown", "other", "route_not_found"));
        assert_eq!((labels.route, labels.backend_type, labels.backend), ("none", "unresolved", "none"));
        assert_eq!(labels.upstream_model, "none");
    }

    #[test]
    fn the_access_logs_words_become_the_metrics_words() {
        for (kind, status, expected) in [
            ("model_route_matching", 404, "route_not_found"),
            ("input_rate_limit", 429, "rate_limit"),
            ("pod_discovery", 503, "pod_discovery"),
            ("proxy", 503, "proxy"),
            ("something else", 500, "request_failed"),
        ] {
            assert_eq!(error_type(&failed(kind, status)), expected, "{kind}");
        }
        for (status, expected) in
            [(200, "successful_request"), (302, "successful_request"), (500, "request_failed"), (0, "request_failed")]
        {
            assert_eq!(error_type(&Entry { status, ..Entry::default() }), expected, "{status}");
        }
    }

    #[test]
    fn statuses_that_nobody_registered_are_their_class() {
        for (code, expected) in
            [(200, "200"), (429, "429"), (499, "499"), (0, "0"), (599, "5xx"), (299, "2xx"), (999, "other")]
        {
            assert_eq!(status(code), expected);
        }
    }
}
