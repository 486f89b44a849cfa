//! What a response repeats of its request.

use serde::Serialize;
use serde_json::{Map, Value};

/// What an answer repeats of its request.
#[derive(Debug, Clone)]
pub struct Echo {
    pub instructions: Option<String>,
    pub temperature: f64,
    pub top_p: f64,
    pub max_output_tokens: u32,
    pub tools: Tools,
}

/// The tools of a request, and what it says of their choice.
#[derive(Debug, Clone)]
pub struct Tools {
    pub choice: Value,
    pub offered: Vec<Tool>,
}

/// A function, with every field that vLLM knows.
#[derive(Debug, Clone, Serialize)]
pub struct Tool {
    name: Value,
    parameters: Value,
    strict: Value,
    r#type: &'static str,
    allowed_callers: (),
    r#async: (),
    defer_loading: (),
    description: Value,
    output_schema: (),
}

// === impl Tools ===

impl Tools {
    /// Those of a request's body; tools that are no functions are not repeated.
    pub fn of(body: &Map<String, Value>) -> Self {
        let tools = body.get("tools").and_then(Value::as_array).into_iter().flatten();
        let offered: Vec<_> = tools.filter_map(Tool::of).collect();
        let choice = match body.get("tool_choice") {
            Some(choice) if !choice.is_null() && !offered.is_empty() => choice.clone(),
            _ => Value::from(if offered.is_empty() { "none" } else { "auto" }),
        };
        Self { choice, offered }
    }
}

// === impl Tool ===

impl Tool {
    fn of(tool: &Value) -> Option<Self> {
        let field = |name: &str| tool.get(name).cloned().unwrap_or_default();
        (tool.get("type")? == "function").then(|| Self {
            name: field("name"),
            parameters: field("parameters"),
            strict: field("strict"),
            r#type: "function",
            allowed_callers: (),
            r#async: (),
            defer_loading: (),
            description: field("description"),
            output_schema: (),
        })
    }
}
