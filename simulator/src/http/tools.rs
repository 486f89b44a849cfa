//! Tools that a request offers, and the call that it demands.
//!
//! A real model decides for itself whether it calls a tool (`auto`); this one only calls when the request leaves it no
//! choice: the tool that is named, or else the first. The tool parser is Hermes's, as most Qwen models have it.

mod choice;
mod schema;

use serde_json::{Map, Value};

use crate::engine::tokenize;
use crate::wire::call::{Call, Part, Said};

pub use choice::{of_chat, of_messages, of_responses};

/// The call of `name`, with arguments that fit its schema.
fn call(name: &str, schema: Option<&Value>, named: bool) -> Call {
    let arguments = schema::spaced(&schema.map_or_else(|| Value::Object(Map::new()), schema::example));
    let quoted = Value::from(name).to_string();
    let mut tokens = Vec::new();
    say(&format!("<tool_call>\n{{\"name\": {quoted}, \"arguments\": "), Part::Around, &mut tokens);
    if let Some(last) = tokens.last_mut() {
        last.part = Part::Name;
    }
    say(&arguments, Part::Arguments, &mut tokens);
    say("}\n</tool_call>", Part::Around, &mut tokens);
    Call { name: name.to_owned(), named, tokens, ids: Vec::new() }
}

fn say(text: &str, part: Part, to: &mut Vec<Said>) {
    let mut ids = Vec::new();
    tokenize(text, &mut ids);
    to.extend(ids.into_iter().map(|id| Said { id, text: crate::engine::text_of(id), part }));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_call_is_said_as_hermes_models_say_it() {
        let schema = json!({"type": "object", "properties": {"city": {"enum": ["Paris"]}}, "required": ["city"]});
        let call = call("weather", Some(&schema), false);
        let said = "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Paris\"}}\n</tool_call>";
        assert_eq!(call.text(usize::MAX), said);
        assert_eq!(call.arguments(usize::MAX), r#"{"city": "Paris"}"#);
        assert_eq!(call.tokens.iter().filter(|said| said.part == Part::Name).count(), 1);
        assert!(call.is_whole(call.tokens.len()) && !call.is_whole(call.tokens.len() - 1));
    }

    #[test]
    fn a_tool_without_a_schema_has_no_arguments() {
        assert_eq!(call("now", None, true).arguments(usize::MAX), "{}");
    }
}
