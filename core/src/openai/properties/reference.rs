//! The canonical prompt, told naively: once from a DOM, once from the parts that a scan found.

use serde_json::Value;

use crate::openai::{PartRole, Prompt, PromptKind, PromptPart};

fn message(role: &str, content: &str) -> String {
    format!("<|im_start|>{role}\n{content}<|im_end|>\n")
}

/// The field and the text of a request's prompt, by the words of the specification.
pub(crate) fn from_value(body: &Value) -> (Option<PromptKind>, String) {
    let usable = |field: &str| body.get(field).filter(|value| value.is_string() || value.is_array());
    if let Some(prompt) = usable("prompt") {
        let text = match prompt {
            Value::String(text) => text.clone(),
            other => other.as_array().into_iter().flatten().filter_map(Value::as_str).collect(),
        };
        return (Some(PromptKind::Prompt), text);
    }
    if let Some(Value::Array(messages)) = body.get("messages") {
        let system = content(body.get("system")).map(|system| message("system", &system));
        let texts = messages.iter().filter_map(chat_message);
        return (Some(PromptKind::Messages), system.into_iter().chain(texts).collect());
    }
    if let Some(input) = usable("input") {
        let mut text = String::new();
        if let Some(Value::String(instructions)) = body.get("instructions") {
            text += &message("developer", instructions);
        }
        for item in input.as_array().cloned().unwrap_or_else(|| vec![input.clone()]) {
            match &item {
                Value::String(input) => text += &message("user", input),
                Value::Object(_) if type_is(&item, &["message"]) => text += &chat_message(&item).unwrap_or_default(),
                _ => {}
            }
        }
        return (Some(PromptKind::Input), text);
    }
    (None, String::new())
}

fn chat_message(item: &Value) -> Option<String> {
    let role = item.get("role")?.as_str()?;
    Some(message(role, &content(item.get("content")).unwrap_or_default()))
}

/// A content's text; `None` when it has none at all.
fn content(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            let texts: Vec<&str> = parts
                .iter()
                .filter(|part| type_is(part, &["text", "input_text", "output_text"]))
                .filter_map(|part| part.get("text")?.as_str())
                .collect();
            (!texts.is_empty()).then(|| texts.join("\n"))
        }
        _ => None,
    }
}

fn type_is(item: &Value, known: &[&str]) -> bool {
    match item.get("type") {
        None | Some(Value::Null) => true,
        Some(Value::String(name)) => name.is_empty() || known.contains(&name.as_str()),
        Some(_) => false,
    }
}

/// The canonical prompt, put together from the parts of a scan of `body`.
pub(crate) fn from_parts(prompt: &Prompt, body: &[u8]) -> String {
    let mut text = String::new();
    for group in prompt.parts.chunk_by(|a, b| a.message == b.message && a.role != PartRole::Prompt) {
        let (roles, contents): (Vec<&PromptPart>, Vec<&PromptPart>) =
            group.iter().partition(|part| part.role == PartRole::Role);
        let strings = |parts: &[&PromptPart]| -> Vec<String> {
            parts.iter().map(|part| string(&body[part.span.range()], part.escaped)).collect()
        };
        let role = match contents.first().map(|part| part.role) {
            Some(PartRole::Prompt) => {
                text += &strings(&contents).concat();
                continue;
            }
            Some(PartRole::System) => "system".to_owned(),
            Some(PartRole::Instructions) => "developer".to_owned(),
            Some(PartRole::Input) => "user".to_owned(),
            Some(PartRole::Role | PartRole::Content) | None => strings(&roles).concat(),
        };
        text += &message(&role, &strings(&contents).join("\n"));
    }
    text
}

fn string(raw: &[u8], escaped: bool) -> String {
    let raw = str::from_utf8(raw).expect("a part is UTF-8");
    let text: String = serde_json::from_str(&format!("\"{raw}\"")).expect("a part is a string's inside");
    assert_eq!(escaped, raw.contains('\\'));
    assert!(escaped || text == raw);
    text
}
