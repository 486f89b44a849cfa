//! `POST /v1/chat/completions`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Map, Value};

use super::ask::{Ask, check_stream_options};
use super::failure::Failure;
use super::fields::{self, Fields};
use super::generate::answer;
use super::prompt::Conversation;
use super::{App, tools};
use crate::wire::chat::Chat;

pub async fn handle(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Result<Response, Failure> {
    let object = fields::object(&headers, &body)?;
    let ask = ask(&object)?.calling(tools::of_chat(&object)?);
    // Megabytes of prompt are not needed while the answer comes.
    drop((object, body));
    answer(&app, &headers, "chatcmpl-", ask, |head, _| Box::new(Chat::new(head))).await
}

/// # Errors
///
/// vLLM's 400 for a body that makes no chat.
pub fn read(headers: &HeaderMap, body: &[u8]) -> Result<Ask, Failure> {
    ask(&fields::object(headers, body)?)
}

fn ask(object: &Map<String, Value>) -> Result<Ask, Failure> {
    check_stream_options(object)?;
    let mut fields = Fields::new(object);
    let prompt = Conversation::new().messages(fields.required_objects("messages")).finish();
    let ask = Ask::read(&mut fields, &["max_completion_tokens", "max_tokens"], prompt.into_iter().collect());
    fields.finish()?;
    Ok(ask)
}
