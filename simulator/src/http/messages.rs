//! `POST /v1/messages` and `POST /v1/messages/count_tokens`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::ask::Ask;
use super::failure::Failure;
use super::fields::{self, Fields};
use super::generate::answer;
use super::prompt::Conversation;
use super::{App, tools};
use crate::engine::Prompt;
use crate::wire::Object;
use crate::wire::messages::Messages;

pub async fn handle(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Result<Response, Failure> {
    let ask = read(&headers, &body).map_err(Failure::on_messages)?;
    drop(body);
    let answer = answer(&app, &headers, "chatcmpl-", ask, |head, _| Box::new(Messages::new(head))).await;
    answer.map_err(Failure::on_messages)
}

/// Counts the prompt's tokens.
pub async fn count(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Result<Json<Object<2>>, Failure> {
    let object = fields::object(&headers, &body)?;
    let mut fields = Fields::new(&object);
    let model = fields.required_string("model").map(str::to_owned);
    let prompt = prompt(&mut fields, &object);
    fields.finish()?;
    app.known(model.as_deref()).map_err(Failure::on_messages)?;
    let tokens = prompt.ok_or_else(|| Failure::empty_conversation(app.face).on_messages())?.tokens;
    let context = json!({"original_input_tokens": tokens});
    Ok(Json(Object([("input_tokens", tokens.into()), ("context_management", context)])))
}

fn read(headers: &HeaderMap, body: &[u8]) -> Result<Ask, Failure> {
    let object = fields::object(headers, body)?;
    let mut fields = Fields::new(&object);
    fields.required_string("model");
    let prompt = prompt(&mut fields, &object);
    fields.required("max_tokens");
    let mut ask = Ask::read(&mut fields, &["max_tokens"], prompt.into_iter().collect());
    ask.stops = fields.texts("stop_sequences");
    if let Some(limit) = object.get("max_tokens").filter(|_| ask.sampling.tokens < 1) {
        fields.unfit("max_tokens", "max_tokens must be positive", limit);
    }
    fields.finish()?;
    Ok(ask.calling(tools::of_messages(&object)?))
}

/// The system prompt comes first, as a message of its own.
fn prompt(fields: &mut Fields<'_>, object: &Map<String, Value>) -> Option<Prompt> {
    let mut conversation = Conversation::new();
    if let Some(system) = object.get("system").filter(|system| !system.is_null()) {
        conversation.message(Some(&Value::from("system")), Some(system));
    }
    conversation.messages(fields.required_objects("messages")).finish()
}
