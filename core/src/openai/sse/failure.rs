//! Errors that a stream tells after its 200: an engine that dies says so in an event, then `[DONE]`, then ends cleanly.
//!
//! Known are OpenAI's and vLLM's `{"error": {...}}`, the bare text `{"error": "..."}`, the flat
//! `{"object": "error", ...}` of older vLLM and of SGLang, `{"type": "error", ...}` of Messages and Responses, and
//! Responses' `response.failed`. Where the data is none of these, an event named `error` is one all the same.

use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

/// As much of an engine's words as is told on, in characters.
const LONGEST: usize = 200;

/// Where an error has no status, those of these types are the client's; all others are the engine's.
const CLIENTS: [&str; 10] = [
    "BadRequestError",
    "Bad Request",
    "NotFoundError",
    "authentication_error",
    "invalid_prompt",
    "invalid_request_error",
    "not_found_error",
    "permission_error",
    "rate_limit_error",
    "request_too_large",
];

/// An error that a stream told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamError {
    /// The status that it would have had as an answer of its own, 400 to 599: what it says, or what its type means.
    pub status: u16,
    /// The engine's words, cut short; may be empty.
    pub message: String,
}

/// What an event, or the error in it, says of itself; of any kind, as engines' members are not ours to insist on.
#[derive(Default, Deserialize)]
struct Members<'a> {
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    response: Option<&'a RawValue>,
    #[serde(borrow, default)]
    object: Option<&'a RawValue>,
    #[serde(borrow, default)]
    r#type: Option<&'a RawValue>,
    #[serde(borrow, default)]
    code: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
}

// === impl StreamError ===

impl StreamError {
    /// The error that a whole event tells, `data` being its data.
    pub(super) fn read(event: &[u8], data: &[u8]) -> Option<Self> {
        let named = named_so(event);
        // In a JSON string a quote is escaped, so no text can look like a member or a type. Most events have none.
        let may = named || memmem::find(data, br#""error""#).is_some() || memmem::find(data, FAILED).is_some();
        let read = if may { Members::read(data).and_then(|members| members.told()) } else { None };
        read.or_else(|| named.then(|| Self { status: 500, message: String::new() }))
    }
}

/// The last event of a response that failed.
const FAILED: &[u8] = br#""response.failed""#;

/// Whether the event's first line names it an error.
fn named_so(event: &[u8]) -> bool {
    let line = event.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    let name = line.strip_prefix(b"event:").map(<[u8]>::trim_ascii);
    matches!(name, Some(b"error" | b"response.failed"))
}

// === impl Members ===

impl<'a> Members<'a> {
    /// Those of an object; serde would take an array for one, too.
    fn read(json: &'a [u8]) -> Option<Self> {
        if json.trim_ascii_start().starts_with(b"{") { serde_json::from_slice(json).ok() } else { None }
    }

    fn within(value: Option<&'a RawValue>) -> Option<Self> {
        Self::read(value?.get().as_bytes())
    }

    fn told(&self) -> Option<StreamError> {
        match text(self.r#type).as_deref() {
            Some("response.failed") => {
                let error = Self::within(self.response).and_then(|response| Self::within(response.error));
                return Some(error.unwrap_or_default().error());
            }
            Some("error") => return Some(Self::within(self.error).as_ref().unwrap_or(self).error()),
            _ => {}
        }
        if let Some(error) = Self::within(self.error) {
            return Some(error.error());
        }
        if let Some(message) = text(self.error).filter(|message| !message.is_empty()) {
            return Some(StreamError { status: 500, message: cut(&message) });
        }
        (text(self.object).as_deref() == Some("error")).then(|| self.error())
    }

    /// What these members are, as those of an error.
    fn error(&self) -> StreamError {
        let code = self.code.and_then(|code| code.get().trim_matches('"').parse().ok());
        let is_clients = |word: Option<&'a RawValue>| text(word).is_some_and(|word| CLIENTS.contains(&&*word));
        let status = match code {
            Some(code @ 400..=599) => code,
            _ if is_clients(self.r#type) || is_clients(self.code) => 400,
            _ => 500,
        };
        StreamError { status, message: text(self.message).map(|message| cut(&message)).unwrap_or_default() }
    }
}

/// The value, if it is a string.
fn text(value: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(value?.get()).ok()
}

fn cut(message: &str) -> String {
    message.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(event: &str) -> Option<(u16, String)> {
        let data = super::super::event::data(event.as_bytes());
        StreamError::read(event.as_bytes(), &data).map(|error| (error.status, error.message))
    }

    #[test]
    fn an_error_is_read_in_every_shape_that_engines_give_it() {
        for (event, status, message) in [
            // vLLM 0.32, captured: with spaces, and no name.
            (
                r#"data: {"error": {"message": "gone", "type": "InternalServerError", "param": null, "code": 500}}"#,
                500,
                "gone",
            ),
            (
                r#"data: {"error": {"message": "bad grammar", "type": "BadRequestError", "code": 400}}"#,
                400,
                "bad grammar",
            ),
            (r#"data: {"error":{"message":"m","type":"BadRequestError","code":"nope"}}"#, 400, "m"),
            (r#"data: {"error":{"message":"m","code":"503"}}"#, 503, "m"),
            (r#"data: {"error":"gone"}"#, 500, "gone"),
            (r#"data: {"error":{}}"#, 500, ""),
            (
                r#"data: {"object":"error","message":"m","type":"InternalServerError","param":null,"code":500}"#,
                500,
                "m",
            ),
            (r#"data: {"object":"error","message":"m","type":"BadRequestError","code":400}"#, 400, "m"),
            (
                "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"internal_error\",\"message\":\"m\"}}",
                500,
                "m",
            ),
            (r#"data: {"type":"error","error":{"type":"invalid_request_error","message":"m"}}"#, 400, "m"),
            (r#"data: {"type":"error","code":"server_error","message":"m","sequence_number":3}"#, 500, "m"),
            (
                r#"data: {"type":"response.failed","response":{"error":{"code":"server_error","message":"m"}}}"#,
                500,
                "m",
            ),
            (r#"data: {"type":"response.failed","response":{"error":{"code":"invalid_prompt"}}}"#, 400, ""),
            (r#"data: {"type":"response.failed","response":null}"#, 500, ""),
            ("event: error\ndata: out of memory", 500, ""),
            ("event:error\r\ndata: {}", 500, ""),
        ] {
            assert_eq!(read(event), Some((status, message.to_owned())), "{event}");
        }
    }

    #[test]
    fn what_only_looks_like_an_error_is_none() {
        for event in [
            r#"data: {"choices":[{"delta":{"content":"{\"error\": {\"code\": 500}}"}}]}"#,
            r#"data: {"choices":[{"delta":{"content":"a"},"error":{}}]}"#,
            r#"data: {"choices":[{"delta":{"content":"a"}}],"error":null}"#,
            r#"data: {"choices":[],"error":""}"#,
            r#"data: {"type":"response.created","response":{"error":null}}"#,
            r#"data: {"type":"response.completed","response":{"error":null,"output":[{"type":"error"}]}}"#,
            r#"data: {"type":"response.output_text.delta","delta":"response.failed"}"#,
            r#"data: "error""#,
            r#"data: ["error"]"#,
            r#"data: {"error""#,
            "event: message_stop\ndata: {\"type\":\"message_stop\"}",
            "event: errors\ndata: {}",
            "",
        ] {
            assert_eq!(read(event), None, "{event}");
        }
    }

    #[test]
    fn an_engine_s_words_are_cut_where_a_character_ends() {
        let event = format!(r#"data: {{"error":{{"message":"{}"}}}}"#, "é".repeat(1000));
        assert_eq!(read(&event).unwrap().1, "é".repeat(LONGEST));
    }
}
