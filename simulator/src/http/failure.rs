//! vLLM's error answers.
//!
//! Three hands write them in vLLM, and each has its own shape: its own validation
//! (`"type":"BadRequestError"`), FastAPI's (`"type":"Bad Request"`, a list of problems as the
//! message), and Starlette's router (`{"detail":...}`).

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;

use crate::engine::{Rejected, Stopped};
use crate::options::Face;
use crate::wire::{self, Event};

/// An answer that is not the one asked for.
#[derive(Debug)]
pub enum Failure {
    /// `{"error": {...}}`.
    Error { status: StatusCode, kind: &'static str, message: String, param: Option<String> },
    /// `{"detail": ...}`.
    Detail { status: StatusCode, detail: &'static str },
    /// `{"type":"error","error":{...}}`, Anthropic's.
    Anthropic { status: StatusCode, kind: &'static str, message: String },
    /// `{"object":"error",...}`, SGLang's.
    Sglang { status: StatusCode, kind: &'static str, message: String, param: Option<String> },
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
struct AnthropicEnvelope<'a> {
    r#type: &'static str,
    error: AnthropicInner<'a>,
}

#[derive(Serialize)]
struct AnthropicInner<'a> {
    r#type: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
struct SglangError<'a> {
    object: &'static str,
    message: &'a str,
    r#type: &'a str,
    param: Option<&'a str>,
    code: u16,
}

#[derive(Serialize)]
struct Detail {
    detail: &'static str,
}

/// What an engine that stopped says, whole or in a stream.
pub const ENGINE_DEAD: &str = "EngineCore encountered an issue. See stack trace (above) for the root cause.";

/// What an engine says that was told to end and may take its time.
const SHUTTING_DOWN: &str = "cannot schedule new futures after shutdown";

/// The type of what FastAPI refuses.
const FRAMEWORK: &str = "Bad Request";

// === impl Failure ===

impl Failure {
    pub const ENGINE_DEAD_STATUS: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;
    pub const ENGINE_DEAD_KIND: &str = "InternalServerError";

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

    /// Messages to answer, and there is none.
    pub fn empty_conversation(face: Face) -> Self {
        let vllm = "Cannot apply chat template to an empty conversation. Provide at least one message.";
        let message = if face == Face::Sglang { "Messages cannot be empty." } else { vllm };
        Self::bad_request(message.to_owned())
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
        Self::Error { status: StatusCode::BAD_REQUEST, kind: FRAMEWORK, message, param }
    }

    /// A body that is no text at all.
    pub fn unreadable_body() -> Self {
        Self::Error {
            status: StatusCode::BAD_REQUEST,
            kind: FRAMEWORK,
            message: "There was an error parsing the body".to_owned(),
            param: None,
        }
    }

    /// As `/v1/messages` of vLLM says it: what the framework refuses keeps its own shape.
    pub fn on_messages(self) -> Self {
        match self {
            Self::Error { status, kind, message, .. } if kind != FRAMEWORK => Self::Anthropic { status, kind, message },
            other => other,
        }
    }

    /// As SGLang says it, which does not name parameters behind its messages.
    pub fn on_sglang(self) -> Self {
        match self {
            Self::Error { status, kind, message, .. } => {
                let message = message.split(" (parameter=").next().unwrap_or_default().to_owned();
                Self::Sglang { status, kind, message, param: None }
            }
            other => other,
        }
    }

    /// The engine takes no more.
    pub fn rejected(why: Rejected, face: Face) -> Self {
        match why {
            Rejected::QueueFull => Self::busy(face),
            Rejected::ShuttingDown => Self::Error {
                status: Self::ENGINE_DEAD_STATUS,
                kind: Self::ENGINE_DEAD_KIND,
                message: SHUTTING_DOWN.to_owned(),
                param: None,
            },
        }
    }

    /// As many requests are here as may be.
    pub fn busy(face: Face) -> Self {
        let (kind, message) = match face {
            Face::Vllm => (
                "Service Unavailable",
                "The engine is currently busy and cannot accept new requests. Please try again later or on a \
                 different instance.",
            ),
            Face::Sglang => ("503", "The request queue is full."),
        };
        Self::Error { status: StatusCode::SERVICE_UNAVAILABLE, kind, message: message.to_owned(), param: None }
    }

    /// A fault that somebody asked for.
    pub fn fault(status: StatusCode) -> Self {
        let message = if status == Self::ENGINE_DEAD_STATUS { ENGINE_DEAD } else { "A fault was asked for." };
        Self::Error { status, kind: "InternalServerError", message: message.to_owned(), param: None }
    }

    /// The same as the last event of a stream, and its end: of Messages, or of any other path.
    pub fn into_last_event(self, messages: bool) -> Bytes {
        let mut event = Event::default();
        if let Self::Error { status, kind, message, .. } = &self {
            match messages {
                true => wire::messages::failure(message, &mut event),
                false => wire::failure(message, kind, status.as_u16(), &mut event),
            }
        }
        event.finish().unwrap_or_default()
    }

    /// Nothing is stored here.
    pub fn unknown_response(id: &str) -> Self {
        Self::Error {
            status: StatusCode::NOT_FOUND,
            kind: "invalid_request_error",
            message: format!("Response with id '{id}' not found."),
            param: Some("response_id".to_owned()),
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
            status: Self::ENGINE_DEAD_STATUS,
            kind: Self::ENGINE_DEAD_KIND,
            message: ENGINE_DEAD.to_owned(),
            param: None,
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
            Self::Anthropic { status, kind, message } => {
                let error = AnthropicInner { r#type: kind, message: &message };
                (status, Json(AnthropicEnvelope { r#type: "error", error })).into_response()
            }
            Self::Sglang { status, kind, message, param } => {
                let (message, param, code) = (&*message, param.as_deref(), status.as_u16());
                let error = SglangError { object: "error", message, r#type: kind, param, code };
                (status, Json(error)).into_response()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ten_problems_are_shown() {
        let Failure::Error { message, .. } = Failure::validation(&vec!["{}".to_owned(); 12], None) else {
            panic!("a validation failure is an error");
        };
        assert!(message.starts_with("12 validation errors:\n  {}\n"), "{message}");
        assert!(message.ends_with("\n  ...and 2 more errors"), "{message}");
    }
}
