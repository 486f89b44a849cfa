//! `POST /v1/responses`. Nothing is stored: every response that is asked for later is unknown.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Map, Value};

use super::ask::Ask;
use super::failure::Failure;
use super::fields::{self, Fields};
use super::generate::answer;
use super::prompt::Conversation;
use super::{App, tools};
use crate::engine::Prompt;
use crate::wire::responses::{Echo, Responses, Tools};

pub async fn handle(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Result<Response, Failure> {
    let object = fields::object(&headers, &body)?;
    let (ask, instructions) = read(&object)?;
    let tools = Tools::of(&object);
    drop((object, body));
    let (temperature, top_p) = (ask.sampling.temperature.unwrap_or(1.0), ask.sampling.top_p.unwrap_or(1.0));
    let item = app.next_id();
    answer(&app, &headers, "resp_", ask, |head, max_output_tokens| {
        let echo = Echo { instructions, temperature, top_p, max_output_tokens, tools };
        Box::new(Responses::new(head, echo, &item))
    })
    .await
}

pub async fn unknown(Path(id): Path<String>) -> Failure {
    Failure::unknown_response(&id)
}

fn read(object: &Map<String, Value>) -> Result<(Ask, Option<String>), Failure> {
    let call = tools::of_responses(object)?;
    let mut fields = Fields::new(object);
    let instructions = fields.string("instructions").map(str::to_owned);
    fields.required("input");
    let prompt = prompt(&mut fields, object, instructions.as_deref());
    let mut ask = Ask::read(&mut fields, &["max_output_tokens"], prompt.into_iter().collect());
    ask.sampling.tokens_name = "max_output_tokens";
    // One response has one message.
    ask.sampling.copies = 1;
    fields.finish()?;
    Ok((ask.calling(call), instructions))
}

/// Instructions come first, as a message of the system; a plain input is the user's.
fn prompt(fields: &mut Fields<'_>, object: &Map<String, Value>, instructions: Option<&str>) -> Option<Prompt> {
    let mut conversation = Conversation::new();
    if let Some(instructions) = instructions {
        conversation.message(Some(&Value::from("system")), Some(&Value::from(instructions)));
    }
    match object.get("input") {
        None => conversation.finish(),
        Some(text @ Value::String(_)) => {
            conversation.message(Some(&Value::from("user")), Some(text));
            conversation.finish()
        }
        Some(Value::Array(items)) => conversation.messages(items.iter().filter_map(Value::as_object)).finish(),
        Some(other) => {
            fields.wrong::<()>("input", "string_type", "Input should be a valid string", other);
            fields.wrong::<()>("input", "list_type", "Input should be a valid list", other);
            conversation.finish()
        }
    }
}
