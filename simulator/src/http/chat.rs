//! `POST /v1/chat/completions`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Map, Value};

use super::App;
use super::ask::{Ask, check_stream_options};
use super::face::Face;
use super::failure::Failure;
use super::fields::{self, Fields};
use super::generate::answer;
use crate::engine::{Prompt, PromptReader};

/// What a ChatML template puts around each message, and before the answer.
const TOKENS_AROUND_MESSAGE: u64 = 4;
const TOKENS_BEFORE_ANSWER: u64 = 3;

pub async fn handle(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Result<Response, Failure> {
    let ask = read(&headers, &body)?;
    // Megabytes of prompt are not needed while the answer comes.
    drop(body);
    answer(&app, &headers, Face::Chat, ask).await
}

fn read(headers: &HeaderMap, body: &[u8]) -> Result<Ask, Failure> {
    let object = fields::object(headers, body)?;
    check_stream_options(&object)?;
    let mut fields = Fields::new(&object);
    let messages = fields.required_objects("messages");
    let ask = Ask::read(&mut fields, &["max_completion_tokens", "max_tokens"], vec![prompt(&messages)]);
    fields.finish()?;
    Ok(ask)
}

fn prompt(messages: &[&Map<String, Value>]) -> Prompt {
    let mut reader = PromptReader::default();
    reader.overhead(TOKENS_BEFORE_ANSWER);
    for message in messages {
        reader.overhead(TOKENS_AROUND_MESSAGE);
        if let Some(Value::String(role)) = message.get("role") {
            reader.text(role);
        }
        match message.get("content") {
            Some(Value::String(text)) => reader.text(text),
            Some(Value::Array(parts)) => {
                let texts = parts.iter().filter_map(|part| part.get("text")?.as_str());
                texts.for_each(|text| reader.text(text));
            }
            _ => {}
        }
    }
    reader.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tokens(messages: &Value) -> u64 {
        let objects: Vec<_> = messages.as_array().into_iter().flatten().filter_map(Value::as_object).collect();
        prompt(&objects).tokens
    }

    #[test]
    fn a_prompt_counts_its_template_its_roles_and_the_text_of_its_parts() {
        let plain = json!([{"role": "user", "content": "hello"}]);
        assert_eq!(tokens(&plain), 3 + 4 + 1 + 2);
        let parts = json!([{"role": "user", "content": [
            {"type": "text", "text": "hello"},
            {"type": "image_url", "image_url": {"url": "http://image"}},
        ]}]);
        assert_eq!(tokens(&parts), tokens(&plain));
        assert_eq!(tokens(&json!([{"role": "assistant", "content": null}])), 3 + 4 + 3);
    }
}
