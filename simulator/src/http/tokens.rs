//! `POST /tokenize` and `POST /detokenize`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use super::App;
use super::failure::Failure;
use super::fields::{self, Fields};
use super::prompt::Conversation;
use crate::engine::{PromptReader, text_of};

/// The answer to `/tokenize`.
#[derive(Debug, Serialize)]
pub struct Tokens {
    count: usize,
    max_model_len: u32,
    tokens: Vec<u32>,
    token_strs: Option<Vec<String>>,
}

/// The answer to `/detokenize`.
#[derive(Debug, Serialize)]
pub struct Text {
    prompt: String,
}

/// A prompt, or messages, which get the template that chats get.
pub async fn tokenize(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Result<Json<Tokens>, Failure> {
    let Wanted { model, strings, tokens } = read(&headers, &body)?;
    app.known(model.as_deref())?;
    let tokens = tokens.ok_or_else(|| Failure::empty_conversation(app.face))?;
    let token_strs = strings.then(|| tokens.iter().map(|id| marked(&text_of(*id))).collect());
    Ok(Json(Tokens { count: tokens.len(), max_model_len: app.engine.max_model_len(), tokens, token_strs }))
}

pub async fn detokenize(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Result<Json<Text>, Failure> {
    let (model, prompt) = read_ids(&headers, &body)?;
    app.known(model.as_deref())?;
    Ok(Json(Text { prompt }))
}

/// What `/tokenize` is asked.
#[derive(Debug)]
pub struct Wanted {
    /// The model that is named.
    pub model: Option<String>,
    /// Whether tokens are wanted as text too.
    pub strings: bool,
    /// Of a conversation without a message, none.
    pub tokens: Option<Vec<u32>>,
}

/// Reads it.
///
/// # Errors
///
/// vLLM's 400 for a body that has neither a prompt nor messages.
pub fn read(headers: &HeaderMap, body: &[u8]) -> Result<Wanted, Failure> {
    let object = fields::object(headers, body)?;
    let mut fields = Fields::new(&object);
    let model = fields.string("model").map(str::to_owned);
    let strings = fields.flag("return_token_strs");
    let prompt = if object.contains_key("messages") {
        Conversation::new().messages(fields.required_objects("messages")).finish()
    } else {
        let mut reader = PromptReader::default();
        match fields.required_string("prompt") {
            Some(text) => reader.text(text),
            None => fields.required("messages"),
        }
        Some(reader.finish())
    };
    fields.finish()?;
    Ok(Wanted { model, strings, tokens: prompt.map(|prompt| prompt.ids) })
}

/// The model that is named, and the text of the tokens.
///
/// # Errors
///
/// vLLM's 400 for a body without tokens.
pub fn read_ids(headers: &HeaderMap, body: &[u8]) -> Result<(Option<String>, String), Failure> {
    let object = fields::object(headers, body)?;
    let mut fields = Fields::new(&object);
    let model = fields.string("model").map(str::to_owned);
    fields.required("tokens");
    let ids = ids(&mut fields, object.get("tokens"));
    fields.finish()?;
    Ok((model, ids.into_iter().map(text_of).collect()))
}

/// An id beyond 32 bits stands for nothing.
fn ids(fields: &mut Fields<'_>, tokens: Option<&Value>) -> Vec<u32> {
    let Some(Value::Array(tokens)) = tokens else {
        if let Some(other) = tokens {
            fields.wrong::<()>("tokens", "list_type", "Input should be a valid list", other);
        }
        return Vec::new();
    };
    let mut ids = Vec::with_capacity(tokens.len());
    for (index, token) in tokens.iter().enumerate() {
        match token.as_u64() {
            Some(id) => ids.extend(u32::try_from(id).ok()),
            None => {
                let (kind, message) = match token {
                    Value::String(_) => {
                        ("int_parsing", "Input should be a valid integer, unable to parse string as an integer")
                    }
                    _ => ("int_type", "Input should be a valid integer"),
                };
                fields.wrong::<()>(&format!("tokens.{index}"), kind, message, token);
            }
        }
    }
    ids
}

/// As byte-level tokenizers write a space and a line's end.
fn marked(text: &str) -> String {
    text.replace(' ', "Ġ").replace('\n', "Ċ")
}
