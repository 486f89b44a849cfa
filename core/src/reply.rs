//! What we answer ourselves, shaped as the client's library expects it.
//!
//! The texts are upstream's (users grep for them); the envelope is OpenAI's `{"error": {...}}`, on
//! `/v1/messages` Anthropic's. `code` is a string, as OpenAI sends it: its client library parses it so.

use crate::access_log::Kind;
use serde::Serialize;

/// An answer of ours: a status and a JSON body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// JSON, whole.
    pub body: Vec<u8>,
}

/// The envelope that an error travels in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `{"error": {"message", "type", "param", "code"}}`
    OpenAi,
    /// `{"type": "error", "error": {"type", "message"}}`
    Anthropic,
}

/// Why a request is refused before any engine saw it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The path is none of ours.
    #[error("404 page not found")]
    UnknownPath,
    /// The body is not one JSON object; the text says where.
    #[error("invalid request body: {0}")]
    InvalidBody(String),
    /// More bytes than `dataPlane.maxRequestBodyBytes` allows.
    #[error("request body is larger than {limit} bytes")]
    BodyTooLarge {
        /// The limit in force, in bytes.
        limit: u64,
    },
    /// More headers, or bytes of them, than a client may send.
    #[error("request headers are too large or too many (at most {count} headers and {bytes} bytes)")]
    HeadersTooLarge {
        /// The most headers accepted.
        count: usize,
        /// The most bytes accepted.
        bytes: usize,
    },
    /// No usable `model`.
    #[error("model not found")]
    ModelMissing,
    /// No usable prompt on a path that needs one.
    #[error("prompt not found")]
    PromptMissing,
    /// No ModelRoute takes the request.
    #[error("route not found")]
    RouteNotFound,
    /// `GET /v1/models/{id}` of a name that no ModelRoute serves.
    #[error("The model `{0}` does not exist")]
    UnknownModel(String),
    /// The route's target is not there.
    #[error("can't find model server: {0}")]
    ModelServerMissing(String),
    /// The route's target has no endpoint that is ready.
    #[error("no available pods for model server: {0}")]
    NoPods(String),
    /// The rule's only targets are external providers, which are not served yet.
    #[error("external provider {0} is not ready")]
    ProviderNotReady(String),
    /// A filter dropped every endpoint of the target. The text is upstream's, which names the filter.
    #[error("can't schedule to target pod: pods have all been filtered out by \"{0}\"")]
    Saturated(String),
    /// Two pods did not begin to answer in time.
    #[error("request to pod timed out")]
    TimedOut,
    /// The host gave less of the body than it had announced.
    #[error("request body is not available")]
    BodyUnavailable,
}

// === impl Shape ===

impl Shape {
    /// The shape that clients of this path expect.
    pub fn of_path(path: &str) -> Self {
        if path == "/v1/messages" || path.starts_with("/v1/messages/") { Self::Anthropic } else { Self::OpenAi }
    }
}

// === impl Refusal ===

impl Refusal {
    /// Status and OpenAI `code`.
    fn status_and_code(&self) -> (u16, &'static str) {
        match self {
            Self::UnknownPath => (404, "not_found"),
            Self::InvalidBody(_) => (400, "invalid_body"),
            Self::BodyTooLarge { .. } => (413, "request_too_large"),
            Self::HeadersTooLarge { .. } => (431, "request_headers_too_large"),
            Self::ModelMissing => (404, "model_not_found"),
            Self::PromptMissing => (404, "prompt_not_found"),
            Self::RouteNotFound | Self::UnknownModel(_) => (404, "model_not_found"),
            Self::ModelServerMissing(_) => (404, "model_server_not_found"),
            Self::NoPods(_) => (503, "no_available_pods"),
            Self::ProviderNotReady(_) => (503, "provider_not_ready"),
            Self::Saturated(_) => (429, "saturated"),
            Self::TimedOut => (504, "timeout"),
            Self::BodyUnavailable => (500, "internal_error"),
        }
    }

    /// What the access log calls it.
    pub fn kind(&self) -> Kind {
        match self {
            Self::InvalidBody(_)
            | Self::BodyTooLarge { .. }
            | Self::HeadersTooLarge { .. }
            | Self::ModelMissing
            | Self::BodyUnavailable => Kind::RequestParsing,
            Self::PromptMissing => Kind::PromptParsing,
            Self::UnknownPath | Self::RouteNotFound | Self::UnknownModel(_) => Kind::RouteNotFound,
            Self::ModelServerMissing(_) | Self::NoPods(_) => Kind::PodDiscovery,
            Self::Saturated(_) => Kind::Scheduling,
            Self::TimedOut => Kind::Proxy,
            Self::ProviderNotReady(_) => Kind::ProviderDiscovery,
        }
    }

    /// The answer, in the client's shape.
    pub fn reply(&self, shape: Shape) -> Reply {
        let (status, code) = self.status_and_code();
        Reply { status, body: error_body(shape, status, code, &self.to_string()) }
    }
}

/// The JSON of an error; also what Envoy's own replies are mapped to.
pub fn error_body(shape: Shape, status: u16, code: &str, message: &str) -> Vec<u8> {
    #[derive(Serialize)]
    struct OpenAi<'a> {
        error: OpenAiError<'a>,
    }
    #[derive(Serialize)]
    struct OpenAiError<'a> {
        message: &'a str,
        r#type: &'a str,
        param: Option<&'a str>,
        code: &'a str,
    }
    #[derive(Serialize)]
    struct Anthropic<'a> {
        r#type: &'a str,
        error: AnthropicError<'a>,
    }
    #[derive(Serialize)]
    struct AnthropicError<'a> {
        r#type: &'a str,
        message: &'a str,
    }
    let r#type = error_type(shape, status);
    let body = match shape {
        Shape::OpenAi => serde_json::to_vec(&OpenAi { error: OpenAiError { message, r#type, param: None, code } }),
        Shape::Anthropic => {
            serde_json::to_vec(&Anthropic { r#type: "error", error: AnthropicError { r#type, message } })
        }
    };
    // Strings always serialise; an empty body would still carry the status.
    body.unwrap_or_default()
}

/// The vendors' `type` for a status.
pub fn error_type(shape: Shape, status: u16) -> &'static str {
    match (shape, status) {
        (Shape::OpenAi, 401) => "authentication_error",
        (Shape::OpenAi, 429) => "rate_limit_error",
        (Shape::OpenAi, 400..=499) => "invalid_request_error",
        (Shape::OpenAi, _) => "server_error",
        (Shape::Anthropic, 401) => "authentication_error",
        (Shape::Anthropic, 403) => "permission_error",
        (Shape::Anthropic, 404) => "not_found_error",
        (Shape::Anthropic, 413) => "request_too_large",
        (Shape::Anthropic, 429) => "rate_limit_error",
        (Shape::Anthropic, 400..=499) => "invalid_request_error",
        (Shape::Anthropic, 503 | 529) => "overloaded_error",
        (Shape::Anthropic, 504) => "timeout_error",
        (Shape::Anthropic, _) => "api_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_shaped_for_the_clients_library() {
        let reply = Refusal::RouteNotFound.reply(Shape::OpenAi);
        assert_eq!(reply.status, 404);
        assert_eq!(
            String::from_utf8(reply.body).unwrap(),
            r#"{"error":{"message":"route not found","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#
        );
        let reply = Refusal::NoPods("default/a".into()).reply(Shape::of_path("/v1/messages"));
        assert_eq!(reply.status, 503);
        assert_eq!(
            String::from_utf8(reply.body).unwrap(),
            r#"{"type":"error","error":{"type":"overloaded_error","message":"no available pods for model server: default/a"}}"#
        );
    }

    #[test]
    fn hostile_text_stays_json() {
        let reply = Refusal::UnknownModel("a\"\\\n\u{1}".into()).reply(Shape::OpenAi);
        let value: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(value["error"]["message"], "The model `a\"\\\n\u{1}` does not exist");
    }
}
