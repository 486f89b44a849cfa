//! Which call a request demands, in the words of each of the three paths that know tools.

use serde_json::{Map, Value};

use super::call;
use crate::http::failure::Failure;
use crate::wire::call::Call;

type Body = Map<String, Value>;

/// The call that a chat demands; none if it may answer with text.
///
/// # Errors
///
/// vLLM's 400 for tools or a choice that make no sense.
pub fn of_chat(body: &Body) -> Result<Option<Call>, Failure> {
    let tools = list(body);
    if tools.is_some_and(<[Value]>::is_empty) {
        let message =
            "`tools` must not be an empty array. Either provide at least one tool or omit the field entirely.";
        return Err(Failure::parameter("tools", message, None));
    }
    let choice = match body.get("tool_choice") {
        None | Some(Value::Null) => None,
        Some(Value::String(none)) if none == "none" => None,
        Some(choice) => Some(choice),
    };
    let Some(tools) = tools else {
        return match choice {
            None => Ok(None),
            Some(_) => Err(refused("When using `tool_choice`, `tools` must be set.")),
        };
    };
    let named = match choice {
        None => Ok(None),
        Some(Value::String(word)) if word == "auto" => Ok(None),
        Some(Value::String(word)) if word == "required" => Ok(Some(None)),
        Some(Value::Object(choice)) => named_function(choice).map(|name| Some(Some(name))),
        Some(other) => {
            let shown = other.as_str().map_or_else(|| other.to_string(), str::to_owned);
            Err(refused(&format!(
                "Invalid value for `tool_choice`: {shown}! Only named tools, \"none\", \"auto\" or \"required\" are \
                 supported."
            )))
        }
    }?;
    let functions = functions(tools)?;
    let Some(name) = named else { return Ok(None) };
    pick(functions, name, "parameters")
        .ok_or_else(|| refused("The tool specified in `tool_choice` does not match any of the specified `tools`"))
        .map(Some)
}

/// The call that a message demands. Without tools there is none to call.
///
/// # Errors
///
/// vLLM's 400 for a choice that makes no sense.
pub fn of_messages(body: &Body) -> Result<Option<Call>, Failure> {
    const KINDS: &str = "'auto', 'any', 'tool' or 'none'";
    let Some(choice) = body.get("tool_choice").and_then(Value::as_object) else { return Ok(None) };
    let name = match choice.get("type").and_then(Value::as_str) {
        Some("auto" | "none") => return Ok(None),
        Some("any") => None,
        Some("tool") => choice.get("name").and_then(Value::as_str).map(Some).ok_or_else(|| {
            let message = "tool_choice.name is required when type is 'tool'";
            invalid("value_error", "body.tool_choice", &format!("Value error, {message}"))
        })?,
        _ => return Err(invalid("literal_error", "body.tool_choice.type", &format!("Input should be {KINDS}"))),
    };
    let tools = list(body).unwrap_or_default();
    match (pick(tools.iter().filter_map(Value::as_object), name, "input_schema"), name) {
        (None, Some(name)) => {
            Err(Failure::bad_request(format!("The tool with name '{name}' is not found in the tools list.")))
        }
        (call, _) => Ok(call),
    }
}

/// The call that a response demands.
///
/// # Errors
///
/// vLLM's 400 for a choice without its tool.
pub fn of_responses(body: &Body) -> Result<Option<Call>, Failure> {
    let tools = list(body).unwrap_or_default();
    let name = match body.get("tool_choice") {
        Some(Value::String(word)) if word == "required" => None,
        Some(Value::Object(choice)) if choice.get("type").is_some_and(|kind| kind == "function") => {
            choice.get("name").and_then(Value::as_str).or(Some(""))
        }
        _ => return Ok(None),
    };
    match (pick(tools.iter().filter_map(Value::as_object), name, "parameters"), name) {
        (Some(call), _) => Ok(Some(call)),
        (None, None) => Err(refused("Tool choice 'required' must be specified with 'tools' parameter.")),
        (None, Some(_)) => Err(refused("Tool choice 'function' not found in 'tools' parameter.")),
    }
}

/// The tool of that name, or the first, called.
fn pick<'a>(mut tools: impl Iterator<Item = &'a Body>, name: Option<&str>, schema: &str) -> Option<Call> {
    let named = |tool: &&Body| name.is_none_or(|name| tool.get("name").is_some_and(|known| known == name));
    let tool = tools.find(|tool| tool.contains_key("name") && named(tool))?;
    let known = tool.get("name").and_then(Value::as_str)?;
    Some(call(known, tool.get(schema).filter(|schema| !schema.is_null()), name.is_some()))
}

fn list(body: &Body) -> Option<&[Value]> {
    body.get("tools").and_then(Value::as_array).map(Vec::as_slice)
}

/// The functions of a chat's tools.
fn functions(tools: &[Value]) -> Result<impl Iterator<Item = &Body>, Failure> {
    for (index, tool) in tools.iter().enumerate() {
        if !tool.get("function").is_some_and(Value::is_object) {
            let fields = tool.as_object().map_or(0, Map::len);
            let path = format!("body.tools.{index}.function");
            let problem = format!(
                "{{'type': 'missing', 'loc': '{path}', 'msg': 'Field required', 'input': '<dict of {fields} items>'}}"
            );
            return Err(Failure::validation(&[problem], Some(path)));
        }
    }
    Ok(tools.iter().filter_map(|tool| tool.get("function")?.as_object()))
}

/// The name in a chat's choice of one tool.
fn named_function(choice: &Body) -> Result<&str, Failure> {
    let usage = "Correct usage: `{\"type\": \"function\", \"function\": {\"name\": \"my_function\"}}`";
    let Some(function) = choice.get("function").and_then(Value::as_object) else {
        let message = format!("Invalid value for `function`: `None` in `tool_choice`! {usage}");
        return Err(Failure::parameter("tool_choice.function", &message, None));
    };
    function.get("name").and_then(Value::as_str).ok_or_else(|| {
        let message = format!("Expected field `name` in `function` in `tool_choice`! {usage}");
        Failure::parameter("tool_choice.function.name", &message, None)
    })
}

fn refused(message: &str) -> Failure {
    Failure::parameter("tool_choice", message, None)
}

fn invalid(kind: &str, path: &str, message: &str) -> Failure {
    let problem = format!("{{'type': '{kind}', 'loc': '{path}', 'msg': \"{message}\"}}");
    Failure::validation(&[problem], Some(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    type Read = fn(&Body) -> Result<Option<Call>, Failure>;

    fn read(read: Read, body: &Value) -> String {
        match read(body.as_object().expect("an object")) {
            Ok(Some(call)) => format!("{} {} named={}", call.name, call.arguments(usize::MAX), call.named),
            Ok(None) => "text".to_owned(),
            Err(Failure::Error { message, .. }) => message,
            Err(other) => format!("{other:?}"),
        }
    }

    #[test]
    fn a_chat_calls_a_tool_only_when_it_must() {
        let one = json!({"type": "function", "function": {"name": "one"}});
        let two = json!({"type": "function", "function": {"name": "two", "parameters": {
            "type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"],
        }}});
        let tools = json!([one, two]);
        let name = |name: &str| json!({"type": "function", "function": {"name": name}});
        for (choice, expected) in [
            (Value::Null, "text"),
            (json!("none"), "text"),
            (json!("auto"), "text"),
            (json!("required"), "one {} named=false"),
            (name("two"), "two {\"n\": 0} named=true"),
            (
                name("three"),
                "The tool specified in `tool_choice` does not match any of the specified `tools` (parameter=tool_choice)",
            ),
            (
                json!("whatever"),
                "Invalid value for `tool_choice`: whatever! Only named tools, \"none\", \"auto\" or \"required\" are supported. (parameter=tool_choice)",
            ),
        ] {
            assert_eq!(read(of_chat, &json!({"tools": tools, "tool_choice": choice})), expected, "{choice}");
        }
        assert_eq!(read(of_chat, &json!({})), "text");
        assert_eq!(
            read(of_chat, &json!({"tool_choice": "required"})),
            "When using `tool_choice`, `tools` must be set. (parameter=tool_choice)"
        );
        assert_eq!(
            read(of_chat, &json!({"tools": []})),
            "`tools` must not be an empty array. Either provide at least one tool or omit the field entirely. (parameter=tools)"
        );
        assert_eq!(
            read(of_chat, &json!({"tools": [{"type": "function"}], "tool_choice": "required"})),
            "1 validation error:\n  {'type': 'missing', 'loc': 'body.tools.0.function', 'msg': 'Field required', 'input': '<dict of 1 items>'}"
        );
    }

    #[test]
    fn a_message_calls_any_tool_or_the_named_one() {
        let tools = json!([{"name": "one", "input_schema": {"type": "object"}}, {"name": "two"}]);
        for (choice, expected) in [
            (json!({"type": "auto"}), "text"),
            (json!({"type": "none"}), "text"),
            (json!({"type": "any"}), "one {} named=false"),
            (json!({"type": "tool", "name": "two"}), "two {} named=true"),
            (json!({"type": "tool", "name": "nope"}), "The tool with name 'nope' is not found in the tools list."),
        ] {
            assert_eq!(read(of_messages, &json!({"tools": tools, "tool_choice": choice})), expected, "{choice}");
        }
        let wrong = read(of_messages, &json!({"tools": tools, "tool_choice": {"type": "what"}}));
        assert!(wrong.contains("\"Input should be 'auto', 'any', 'tool' or 'none'\""), "{wrong}");
    }

    #[test]
    fn a_response_calls_a_required_or_named_function() {
        let tools = json!([{"type": "web_search"}, {"type": "function", "name": "one"}]);
        for (choice, expected) in [
            (json!("auto"), "text"),
            (json!("required"), "one {} named=false"),
            (json!({"type": "function", "name": "one"}), "one {} named=true"),
            (
                json!({"type": "function", "name": "nope"}),
                "Tool choice 'function' not found in 'tools' parameter. (parameter=tool_choice)",
            ),
        ] {
            assert_eq!(read(of_responses, &json!({"tools": tools, "tool_choice": choice})), expected, "{choice}");
        }
        assert_eq!(
            read(of_responses, &json!({"tool_choice": "required"})),
            "Tool choice 'required' must be specified with 'tools' parameter. (parameter=tool_choice)"
        );
    }
}
