//! Reads a JSON body as FastAPI and pydantic do: lax about numbers in strings, silent about unknown
//! fields, and all wrong fields reported at once, as the text of Python dictionaries.

use axum::http::{HeaderMap, header};
use serde_json::{Map, Value};

use super::failure::Failure;

/// An object whose fields are being read; wrong ones collect until [`Fields::finish`].
#[derive(Debug)]
pub struct Fields<'a> {
    path: String,
    object: &'a Map<String, Value>,
    problems: Vec<Problem>,
}

/// One wrong field.
#[derive(Debug)]
struct Problem {
    path: String,
    text: String,
}

/// The JSON object in a request's body.
///
/// # Errors
///
/// vLLM's 400 for a wrong media type, no body, bad JSON, or JSON that is no object.
pub fn object(headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, Failure> {
    if !is_json(headers) {
        let problem = "Unsupported Media Type: Only 'application/json' is allowed".to_owned();
        return Err(Failure::validation(&[problem], None));
    }
    if body.is_empty() {
        return Err(alone("missing", "body".to_owned(), "Field required", "None", ""));
    }
    let body = std::str::from_utf8(body).map_err(|_| Failure::unreadable_body())?;
    match serde_json::from_str(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => Err(alone(NOT_OBJECT.0, "body".to_owned(), NOT_OBJECT.1, &shown(&other), "")),
        Err(error) => {
            let path = format!("body.{}", position(body, &error));
            let cause = format!(", 'ctx': {{'error': {}}}", quoted(&error.to_string()));
            Err(alone("json_invalid", path, "JSON decode error", "<dict of 0 items>", &cause))
        }
    }
}

/// Exactly as vLLM's `validate_json_request` compares.
fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|media_type| media_type.eq_ignore_ascii_case("application/json"))
}

/// Characters before the error, as Python counts them.
fn position(body: &str, error: &serde_json::Error) -> usize {
    if error.is_eof() {
        return body.chars().count();
    }
    let before = body.split_inclusive('\n').take(error.line().saturating_sub(1));
    before.map(|line| line.chars().count()).sum::<usize>() + error.column().saturating_sub(1)
}

const NOT_OBJECT: (&str, &str) =
    ("model_attributes_type", "Input should be a valid dictionary or object to extract fields from");

// === impl Fields ===

impl<'a> Fields<'a> {
    /// Reads the fields of a whole body.
    pub fn new(object: &'a Map<String, Value>) -> Self {
        Self { path: "body".to_owned(), object, problems: Vec::new() }
    }

    /// A text. Null counts as absent here and below.
    pub fn string(&mut self, name: &str) -> Option<&'a str> {
        match self.value(name)? {
            Value::String(text) => Some(text),
            other => self.wrong(name, "string_type", "Input should be a valid string", other),
        }
    }

    /// A text that must be there.
    pub fn required_string(&mut self, name: &str) -> Option<&'a str> {
        self.required(name);
        self.string(name)
    }

    /// A whole number, also as text or as a float without fraction.
    pub fn integer(&mut self, name: &str) -> Option<i64> {
        const MESSAGE: &str = "Input should be a valid integer";
        const FRACTION: &str = "Input should be a valid integer, got a number with a fractional part";
        const PARSING: &str = "Input should be a valid integer, unable to parse string as an integer";
        let value = self.value(name)?;
        let read = match value {
            Value::Bool(flag) => Ok(i64::from(*flag)),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(integer), _) => Ok(integer),
                (None, Some(float)) if float.fract() == 0.0 => Ok(float as i64),
                _ => Err(("int_from_float", FRACTION)),
            },
            Value::String(text) => text.trim().parse().map_err(|_| ("int_parsing", PARSING)),
            _ => Err(("int_type", MESSAGE)),
        };
        match read {
            Ok(integer) => Some(integer),
            Err((kind, message)) => self.wrong(name, kind, message, value),
        }
    }

    /// A number, also as text.
    pub fn float(&mut self, name: &str) -> Option<f64> {
        const MESSAGE: &str = "Input should be a valid number";
        const PARSING: &str = "Input should be a valid number, unable to parse string as a number";
        let value = self.value(name)?;
        let read = match value {
            Value::Bool(flag) => Ok(f64::from(u8::from(*flag))),
            Value::Number(number) => number.as_f64().ok_or(("float_type", MESSAGE)),
            Value::String(text) => text.trim().parse().map_err(|_| ("float_parsing", PARSING)),
            _ => Err(("float_type", MESSAGE)),
        };
        match read {
            Ok(float) => Some(float),
            Err((kind, message)) => self.wrong(name, kind, message, value),
        }
    }

    /// A flag, also as 0, 1 or one of pydantic's words; absent is false.
    pub fn flag(&mut self, name: &str) -> bool {
        const MESSAGE: &str = "Input should be a valid boolean";
        const PARSING: &str = "Input should be a valid boolean, unable to interpret input";
        let Some(value) = self.value(name) else {
            return false;
        };
        let read = match value {
            Value::Bool(flag) => Ok(*flag),
            Value::Number(number) => match number.as_f64() {
                Some(0.0) => Ok(false),
                Some(1.0) => Ok(true),
                _ => Err(("bool_parsing", PARSING)),
            },
            Value::String(text) => match text.to_ascii_lowercase().as_str() {
                "0" | "off" | "f" | "false" | "n" | "no" => Ok(false),
                "1" | "on" | "t" | "true" | "y" | "yes" => Ok(true),
                _ => Err(("bool_parsing", PARSING)),
            },
            _ => Err(("bool_type", MESSAGE)),
        };
        match read {
            Ok(flag) => flag,
            Err((kind, message)) => self.wrong(name, kind, message, value).unwrap_or(false),
        }
    }

    /// A text or a list of texts; absent is none.
    pub fn texts(&mut self, name: &str) -> Vec<String> {
        let list = match self.value(name) {
            None => return Vec::new(),
            Some(Value::Array(list)) => list,
            Some(Value::String(text)) => return vec![text.clone()],
            Some(other) => {
                self.wrong::<()>(name, "string_type", "Input should be a valid string", other);
                self.wrong::<()>(name, "list_type", "Input should be a valid list", other);
                return Vec::new();
            }
        };
        let mut texts = Vec::with_capacity(list.len());
        for (index, element) in list.iter().enumerate() {
            match element {
                Value::String(text) => texts.push(text.clone()),
                other => {
                    let name = format!("{name}.{index}");
                    self.wrong::<()>(&name, "string_type", "Input should be a valid string", other);
                }
            }
        }
        texts
    }

    /// A list of objects that must be there; elements of another kind are reported and left out.
    pub fn required_objects(&mut self, name: &str) -> Vec<&'a Map<String, Value>> {
        self.required(name);
        let list = match self.object.get(name) {
            Some(Value::Array(list)) => list,
            Some(other) => {
                self.wrong::<()>(name, "list_type", "Input should be a valid list", other);
                return Vec::new();
            }
            None => return Vec::new(),
        };
        let mut objects = Vec::with_capacity(list.len());
        for (index, element) in list.iter().enumerate() {
            match element {
                Value::Object(object) => objects.push(object),
                other => {
                    let name = format!("{name}.{index}");
                    self.wrong::<()>(&name, "dict_type", "Input should be a valid dictionary", other);
                }
            }
        }
        objects
    }

    /// A nested object, read by `read`.
    pub fn nested<T>(&mut self, name: &str, read: impl FnOnce(&mut Fields<'a>) -> T) -> Option<T> {
        match self.value(name)? {
            Value::Object(object) => {
                let path = format!("{}.{name}", self.path);
                let mut nested = Fields { path, object, problems: Vec::new() };
                let value = read(&mut nested);
                self.problems.append(&mut nested.problems);
                Some(value)
            }
            other => self.wrong(name, NOT_OBJECT.0, NOT_OBJECT.1, other),
        }
    }

    /// Reports a field whose value is of no accepted kind.
    pub fn wrong<T>(&mut self, name: &str, kind: &str, message: &str, value: &Value) -> Option<T> {
        self.report(kind, name, message, &shown(value));
        None
    }

    /// Reports a field whose value a check of vLLM's own refuses.
    pub fn unfit(&mut self, name: &str, message: &str, value: &Value) {
        let path = format!("{}.{name}", self.path);
        let cause = format!(", 'ctx': {{'error': ValueError({})}}", quoted(message));
        let text = problem("value_error", &path, &format!("Value error, {message}"), &shown(value), &cause);
        self.problems.push(Problem { path, text });
    }

    /// # Errors
    ///
    /// vLLM's 400 that lists every wrong field.
    pub fn finish(self) -> Result<(), Failure> {
        let Some(first) = self.problems.first() else {
            return Ok(());
        };
        let param = Some(first.path.clone());
        let texts: Vec<String> = self.problems.into_iter().map(|problem| problem.text).collect();
        Err(Failure::validation(&texts, param))
    }

    fn value(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// Reports a field that is not there.
    pub fn required(&mut self, name: &str) {
        if !self.object.contains_key(name) {
            let input = format!("<dict of {} items>", self.object.len());
            self.report("missing", name, "Field required", &input);
        }
    }

    fn report(&mut self, kind: &str, name: &str, message: &str, input: &str) {
        let path = format!("{}.{name}", self.path);
        let text = problem(kind, &path, message, input, "");
        self.problems.push(Problem { path, text });
    }
}

/// Whether Python would take the value for true.
pub fn truthy(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::Bool(flag)) => *flag,
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        Some(Value::Object(object)) => !object.is_empty(),
    }
}

fn alone(kind: &str, path: String, message: &str, input: &str, extra: &str) -> Failure {
    Failure::validation(&[problem(kind, &path, message, input, extra)], Some(path))
}

fn problem(kind: &str, path: &str, message: &str, input: &str, extra: &str) -> String {
    let input = quoted(input);
    format!("{{'type': '{kind}', 'loc': '{path}', 'msg': '{message}', 'input': {input}{extra}}}")
}

/// vLLM's stand-in for an offending value, which keeps a long one out of the answer.
fn shown(value: &Value) -> String {
    const SHOWN_CHARACTERS: usize = 200;
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => match text.char_indices().nth(SHOWN_CHARACTERS) {
            Some((end, _)) => format!("{}...[truncated]", text.get(..end).unwrap_or_default()),
            None => text.clone(),
        },
        Value::Array(list) => format!("<list of {} items>", list.len()),
        Value::Object(object) => format!("<dict of {} items>", object.len()),
    }
}

/// Python's `repr` of a text, but for unprintable characters.
fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut quoted = String::from(quote);
    for character in text.chars() {
        match character {
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\\' => quoted.push_str("\\\\"),
            same if same == quote => quoted.extend(['\\', quote]),
            other => quoted.push(other),
        }
    }
    quoted.push(quote);
    quoted
}

#[cfg(test)]
mod tests;
