//! Prompts, in all the shapes in which requests bring them.

use serde_json::{Map, Value};

use super::fields::Fields;
use crate::engine::{Prompt, PromptReader};

/// What a ChatML template puts around each message, and before the answer.
const TOKENS_AROUND_MESSAGE: u64 = 4;
const TOKENS_BEFORE_ANSWER: u64 = 3;

/// A conversation, put into a template one message after the other.
#[derive(Debug)]
pub struct Conversation {
    reader: PromptReader,
    messages: usize,
}

// === impl Conversation ===

impl Conversation {
    pub fn new() -> Self {
        let mut reader = PromptReader::default();
        reader.overhead(TOKENS_BEFORE_ANSWER);
        Self { reader, messages: 0 }
    }

    /// Adds a message; `content` is a text or a list of parts, of which those with a text count.
    pub fn message(&mut self, role: Option<&Value>, content: Option<&Value>) {
        self.messages += 1;
        self.reader.overhead(TOKENS_AROUND_MESSAGE);
        if let Some(Value::String(role)) = role {
            self.reader.text(role);
        }
        match content {
            Some(Value::String(text)) => self.reader.text(text),
            Some(Value::Array(parts)) => {
                let texts = parts.iter().filter_map(|part| part.get("text")?.as_str());
                texts.for_each(|text| self.reader.text(text));
            }
            _ => {}
        }
    }

    /// Adds messages with the fields `role` and `content`.
    pub fn messages<'a>(mut self, messages: impl IntoIterator<Item = &'a Map<String, Value>>) -> Self {
        for message in messages {
            self.message(message.get("role"), message.get("content"));
        }
        self
    }

    /// `None` without a message: no template takes that.
    pub fn finish(self) -> Option<Prompt> {
        (self.messages > 0).then(|| self.reader.finish())
    }
}

/// Reads the field of that name: one text, one list of token ids, or a list of either.
pub fn texts_or_ids(fields: &mut Fields<'_>, name: &str, value: &Value) -> Vec<Prompt> {
    read(value).unwrap_or_else(|| {
        fields.wrong::<()>(name, "string_type", "Input should be a valid string", value);
        Vec::new()
    })
}

fn read(prompt: &Value) -> Option<Vec<Prompt>> {
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

    fn chat(messages: &Value) -> u64 {
        let objects = messages.as_array().into_iter().flatten().filter_map(Value::as_object);
        Conversation::new().messages(objects).finish().map_or(0, |prompt| prompt.tokens)
    }

    fn tokens(prompt: &Value) -> Option<Vec<u64>> {
        Some(read(prompt)?.iter().map(|prompt| prompt.tokens).collect())
    }

    #[test]
    fn a_conversation_counts_its_template_its_roles_and_the_text_of_its_parts() {
        let plain = json!([{"role": "user", "content": "hello"}]);
        assert_eq!(chat(&plain), 3 + 4 + 1 + 2);
        let parts = json!([{"role": "user", "content": [
            {"type": "text", "text": "hello"},
            {"type": "image_url", "image_url": {"url": "http://image"}},
        ]}]);
        assert_eq!(chat(&parts), chat(&plain));
        assert_eq!(chat(&json!([{"role": "user", "content": null}])), 3 + 4 + 1);
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
