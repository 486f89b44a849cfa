//! `POST /v1/completions`, and `POST /invocations`, which takes chats too.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use serde_json::Value;

use super::ask::{Ask, check_stream_options};
use super::failure::Failure;
use super::fields::{self, Fields};
use super::generate::answer;
use super::prompt::texts_or_ids;
use super::{App, chat};
use crate::wire::completion::Completion;

pub async fn handle(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Result<Response, Failure> {
    let ask = read(&headers, &body)?;
    // Megabytes of prompt are not needed while the answer comes.
    drop(body);
    answer(&app, &headers, "cmpl-", ask, |head, _| Box::new(Completion::new(head))).await
}

/// SageMaker's one path for all: what has messages is a chat.
pub async fn invocations(state: State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Result<Response, Failure> {
    if fields::object(&headers, &body)?.contains_key("messages") {
        return chat::handle(state, headers, body).await;
    }
    handle(state, headers, body).await
}

/// # Errors
///
/// vLLM's 400 for a body that makes no completion.
pub fn read(headers: &HeaderMap, body: &[u8]) -> Result<Ask, Failure> {
    let object = fields::object(headers, body)?;
    let prompt = object.get("prompt").filter(|prompt| !is_empty(prompt)).ok_or_else(|| {
        let message = "Either prompt or prompt_embeds must be provided and non-empty.";
        Failure::parameter("prompt", message, None)
    })?;
    if prompt.as_array().is_some_and(Vec::is_empty) {
        return Err(Failure::bad_request("You must pass at least one prompt".to_owned()));
    }
    check_stream_options(&object)?;
    let mut fields = Fields::new(&object);
    let prompts = texts_or_ids(&mut fields, "prompt", prompt);
    let ask = Ask::read(&mut fields, &["max_tokens"], prompts);
    fields.finish()?;
    Ok(ask)
}

fn is_empty(prompt: &Value) -> bool {
    match prompt {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}
