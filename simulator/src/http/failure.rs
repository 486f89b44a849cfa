//! vLLM's error answers.
//!
//! Three hands write them in vLLM, and each has its own shape: its own validation
//! (`"type":"BadRequestError"`), FastAPI's (`"type":"Bad Request"`, a list of problems as the
//! message), and Starlette's router (`{"detail":...}`).

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::engine::{Rejected, Stopped};

/// An answer that is not the one asked for.
#[derive(Debug)]
pub enum Failure {
    /// `{"error": {...}}`.
    Error { status: StatusCode, kind: &'static str, message: String, param: Option<String> },
    /// `{"detail": ...}`.
    Detail { status: StatusCode, detail: &'static str },
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: Inner<'a>,
}

#[derive(Serialize)]
struct Inner<'a> {
    message: &'a str,
    r#type: &'a str,
    param: Option<&'a str>,
    code: u16,
}

#[derive(Serialize)]
struct Detail {
    detail: &'static str,
}

const ENGINE_DEAD: &str = "EngineCore encountered an issue. See stack trace (above) for the root cause.";

const ENGINE_BUSY: &str = "The engine is currently busy and cannot accept new requests. Please try again later or on a \
    different instance.";

/// What a stream gets in place of its remaining tokens: Python's `json.dumps` spaces it like this.
pub const ENGINE_DEAD_EVENT: &[u8] = b"data: {\"error\": {\"message\": \"EngineCore encountered \
    an issue. See stack trace (above) for the root cause.\", \"type\": \"InternalServerError\", \
    \"param\": null, \"code\": 500}}\n\n";

// === impl Failure ===

impl Failure {
    /// No such path.
    pub const NOT_FOUND: Self = Self::Detail { status: StatusCode::NOT_FOUND, detail: "Not Found" };

    /// No such method on this path.
    pub const METHOD_NOT_ALLOWED: Self =
        Self::Detail { status: StatusCode::METHOD_NOT_ALLOWED, detail: "Method Not Allowed" };

    /// The body is larger than the simulator keeps in memory; a real engine has no limit of its own.
    pub const BODY_TOO_LARGE: Self =
        Self::Detail { status: StatusCode::PAYLOAD_TOO_LARGE, detail: "Request Entity Too Large" };

    /// Nothing here answers to `name`.
    pub fn unknown_model<'a>(name: &str, served: impl Iterator<Item = &'a str>) -> Self {
        let served = served.collect::<Vec<_>>().join(", ");
        Self::Error {
            status: StatusCode::NOT_FOUND,
            kind: "NotFoundError",
            message: format!("The model `{name}` does not exist. Valid aliases: {served}."),
            param: Some("model".to_owned()),
        }
    }

    /// A parameter that vLLM itself refuses; `value` where it shows one.
    pub fn parameter(name: &str, message: &str, value: Option<String>) -> Self {
        let value = value.map(|value| format!(", value={value}")).unwrap_or_default();
        Self::Error {
            status: StatusCode::BAD_REQUEST,
            kind: "BadRequestError",
            message: format!("{message} (parameter={name}{value})"),
            param: Some(name.to_owned()),
        }
    }

    /// A request that vLLM itself refuses without naming the parameter.
    pub fn bad_request(message: String) -> Self {
        Self::Error { status: StatusCode::BAD_REQUEST, kind: "BadRequestError", message, param: None }
    }

    /// A body that FastAPI refuses. Each problem is a Python dictionary as text; `param` is where
    /// the first one is.
    pub fn validation(problems: &[String], param: Option<String>) -> Self {
        /// More are counted, not shown.
        const SHOWN: usize = 10;
        let count = problems.len();
        let label = if count == 1 { "error" } else { "errors" };
        let mut message = format!("{count} validation {label}:");
        for problem in problems.iter().take(SHOWN) {
            message.push_str("\n  ");
            message.push_str(problem);
        }
        if count > SHOWN {
            message.push_str(&format!("\n  ...and {} more {label}", count - SHOWN));
        }
        Self::Error { status: StatusCode::BAD_REQUEST, kind: "Bad Request", message, param }
    }

    /// A body that is no text at all.
    pub fn unreadable_body() -> Self {
        Self::Error {
            status: StatusCode::BAD_REQUEST,
            kind: "Bad Request",
            message: "There was an error parsing the body".to_owned(),
            param: None,
        }
    }

    /// An adapter request that makes no sense now.
    pub fn adapter_input(message: String) -> Self {
        Self::Error { status: StatusCode::BAD_REQUEST, kind: "InvalidUserInput", message, param: None }
    }

    /// An adapter that is not loaded.
    pub fn adapter_not_found(message: String) -> Self {
        Self::Error { status: StatusCode::NOT_FOUND, kind: "NotFoundError", message, param: None }
    }
}

impl From<Stopped> for Failure {
    fn from(Stopped: Stopped) -> Self {
        Self::Error {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            kind: "InternalServerError",
            message: ENGINE_DEAD.to_owned(),
            param: None,
        }
    }
}

impl From<Rejected> for Failure {
    fn from(rejected: Rejected) -> Self {
        match rejected {
            Rejected::QueueFull => Self::Error {
                status: StatusCode::SERVICE_UNAVAILABLE,
                kind: "Service Unavailable",
                message: ENGINE_BUSY.to_owned(),
                param: None,
            },
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Error { status, kind, message, param } => {
                let error = Inner { message: &message, r#type: kind, param: param.as_deref(), code: status.as_u16() };
                (status, Json(Envelope { error })).into_response()
            }
            Self::Detail { status, detail } => (status, Json(Detail { detail })).into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_and_the_answer_of_a_dead_engine_say_the_same() {
        let event = std::str::from_utf8(ENGINE_DEAD_EVENT).expect("ASCII");
        let json = event.trim_start_matches("data: ").trim_end();
        let value: serde_json::Value = serde_json::from_str(json).expect("JSON");
        assert_eq!(value["error"]["message"], ENGINE_DEAD);
        assert_eq!(value["error"]["code"], 500);
    }

    #[test]
    fn only_ten_problems_are_shown() {
        let Failure::Error { message, .. } = Failure::validation(&vec!["{}".to_owned(); 12], None) else {
            panic!("a validation failure is an error");
        };
        assert!(message.starts_with("12 validation errors:\n  {}\n"), "{message}");
        assert!(message.ends_with("\n  ...and 2 more errors"), "{message}");
    }
}
