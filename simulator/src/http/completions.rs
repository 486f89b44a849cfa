//! `POST /v1/completions`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use serde_json::Value;

use super::App;
use super::ask::{Ask, check_stream_options};
use super::face::Face;
use super::failure::Failure;
use super::fields::{self, Fields};
use super::generate::answer;
use crate::engine::{Prompt, PromptReader};

pub async fn handle(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Result<Response, Failure> {
    let ask = read(&headers, &body)?;
    // Megabytes of prompt are not needed while the answer comes.
    drop(body);
    answer(&app, &headers, Face::Completion, ask).await
}

fn read(headers: &HeaderMap, body: &[u8]) -> Result<Ask, Failure> {
    let object = fields::object(headers, body)?;
    let prompt = object.get("prompt").filter(|prompt| !is_empty(prompt)).ok_or_else(|| {
        let message = "Either prompt or prompt_embeds must be provided and non-empty.";
        Failure::parameter("prompt", message, None)
    })?;
    check_stream_options(&object)?;
    let mut fields = Fields::new(&object);
    let prompts = prompts(prompt).unwrap_or_else(|| {
        fields.wrong::<()>("prompt", "string_type", "Input should be a valid string", prompt);
        Vec::new()
    });
    let ask = Ask::read(&mut fields, &["max_tokens"], prompts);
    fields.finish()?;
    Ok(ask)
}

fn is_empty(prompt: &Value) -> bool {
    match prompt {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

/// One text, one list of token ids, or a list of either. `None` for anything else.
fn prompts(prompt: &Value) -> Option<Vec<Prompt>> {
    let Value::Array(list) = prompt else {
        return Some(vec![one(prompt)?]);
    };
    if list.iter().all(Value::is_u64) {
        return Some(vec![one(prompt)?]);
    }
    list.iter().map(one).collect()
}

fn one(prompt: &Value) -> Option<Prompt> {
    let mut reader = PromptReader::default();
    match prompt {
        Value::String(text) => reader.text(text),
        Value::Array(ids) => {
            for id in ids {
                reader.token_id(id.as_u64()?);
            }
        }
        _ => return None,
    }
    Some(reader.finish())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tokens(prompt: &Value) -> Option<Vec<u64>> {
        Some(prompts(prompt)?.iter().map(|prompt| prompt.tokens).collect())
    }

    #[test]
    fn all_four_shapes_of_a_prompt_are_read() {
        assert_eq!(tokens(&json!("one two")), Some(vec![2]));
        assert_eq!(tokens(&json!(["one two", "three"])), Some(vec![2, 2]));
        assert_eq!(tokens(&json!([1, 2, 3])), Some(vec![3]));
        assert_eq!(tokens(&json!([[1, 2, 3], [4]])), Some(vec![3, 1]));
    }

    #[test]
    fn other_shapes_are_not_prompts() {
        for prompt in [json!(5), json!({}), json!(["a", 5]), json!([[-1]]), json!([["a"]])] {
            assert_eq!(tokens(&prompt), None, "{prompt}");
        }
    }
}
