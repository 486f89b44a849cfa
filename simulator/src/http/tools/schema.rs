//! A value that fits a JSON schema: as short as it can be, and always the same.

use serde::Serialize as _;
use serde_json::ser::{Formatter, Serializer};
use serde_json::{Map, Value};
use std::io;

/// Schemas may refer to themselves; what lies deeper is null.
const DEPTH: u32 = 16;

/// Bytes of an example, or nearly, however often a schema says the same thing again: what lies beyond is null.
const BYTES: usize = 64 * 1024;

/// A value that fits `schema`, as far as its `$ref` (within it), `const`, `enum`, `anyOf`, `oneOf`, `allOf`, `type`,
/// `required`, `items`, `minItems`, `minLength` and `minimum` say; of a choice, the first.
pub fn example(schema: &Value) -> Value {
    Walk { root: schema, left: BYTES }.value(schema, 0)
}

/// JSON as Python writes it, and so models: with a space behind commas and colons.
pub fn spaced(value: &Value) -> String {
    let mut text = Vec::new();
    // Writing to memory does not fail.
    let _ = value.serialize(&mut Serializer::with_formatter(&mut text, Spaced));
    String::from_utf8(text).unwrap_or_default()
}

struct Walk<'a> {
    root: &'a Value,
    /// Bytes that may still be said.
    left: usize,
}

// === impl Walk ===

impl<'a> Walk<'a> {
    fn value(&mut self, schema: &'a Value, depth: u32) -> Value {
        if depth > DEPTH || !self.spend(1) {
            return Value::Null;
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let place = target.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
            return place.map_or(Value::Null, |place| self.value(place, depth + 1));
        }
        let first = |name: &str| schema.get(name).and_then(Value::as_array).and_then(|list| list.first());
        if let Some(value) = schema.get("const").or_else(|| first("enum")) {
            return if self.spend(value.to_string().len()) { value.clone() } else { Value::Null };
        }
        if let Some(choice) = first("anyOf").or_else(|| first("oneOf")).or_else(|| first("allOf")) {
            return self.value(choice, depth + 1);
        }
        let kind = schema.get("type").and_then(Value::as_str).or_else(|| first("type").and_then(Value::as_str));
        let least = |name: &str| schema.get(name).and_then(Value::as_u64).unwrap_or(0);
        match kind {
            Some("string") => {
                let length = usize::try_from(least("minLength")).unwrap_or(usize::MAX).max(4);
                let fits = self.spend(length);
                if fits { Value::from("text".chars().cycle().take(length).collect::<String>()) } else { Value::Null }
            }
            Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| 0.into()),
            Some("boolean") => true.into(),
            Some("array") => {
                let items = schema.get("items").unwrap_or(&Value::Null);
                let count = usize::try_from(least("minItems")).unwrap_or(usize::MAX).min(self.left);
                Value::Array((0..count).map(|_| self.value(items, depth + 1)).collect())
            }
            Some("object") => self.object(schema, depth),
            None if schema.get("properties").is_some() => self.object(schema, depth),
            _ => Value::Null,
        }
    }

    fn object(&mut self, schema: &'a Value, depth: u32) -> Value {
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        let mut object = Map::new();
        for name in required.filter_map(Value::as_str) {
            let property = schema.get("properties").and_then(|properties| properties.get(name)).unwrap_or(&Value::Null);
            if self.spend(name.len()) {
                object.insert(name.to_owned(), self.value(property, depth + 1));
            }
        }
        Value::Object(object)
    }

    /// Takes so many bytes of what is left, if they are.
    fn spend(&mut self, bytes: usize) -> bool {
        let rest = self.left.checked_sub(bytes);
        self.left = rest.unwrap_or(self.left);
        rest.is_some()
    }
}

struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_required_is_there_and_of_its_type() {
        let schema = json!({
            "type": "object",
            "properties": {
                "city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}, "exact": {"type": "boolean"},
                "unit": {"enum": ["C", "F"]}, "version": {"const": 2}, "tags": {"type": "array", "minItems": 1, "items": {"type": "string"}},
                "none": {"anyOf": [{"type": "null"}, {"type": "string"}]}, "loose": {"type": ["number", "null"]},
                "place": {"$ref": "#/$defs/Place"}, "optional": {"type": "string"},
            },
            "required": ["city", "days", "exact", "unit", "version", "tags", "none", "loose", "place"],
            "$defs": {"Place": {"properties": {"x": {"type": "number"}}, "required": ["x"]}},
        });
        let expected = json!({
            "city": "text", "days": 1, "exact": true, "unit": "C", "version": 2, "tags": ["text"], "none": null,
            "loose": 0, "place": {"x": 0},
        });
        assert_eq!(example(&schema), expected);
    }

    #[test]
    fn a_schema_without_end_has_one() {
        let within = json!({"$ref": "#"});
        let schema = json!({"type": "object", "properties": {"a": within, "b": within}, "required": ["a", "b"]});
        assert!(spaced(&example(&schema)).len() < 1_000_000);
        let many = json!({"type": "array", "minItems": u64::MAX, "items": {"type": "array", "minItems": u64::MAX}});
        assert!(spaced(&example(&many)).len() < 1_000_000);
        assert_eq!(example(&json!({"$ref": "#/nowhere"})), Value::Null);
        assert_eq!(example(&json!(5)), Value::Null);
    }

    #[test]
    fn json_is_spaced_as_python_does_it() {
        assert_eq!(spaced(&json!({"a": [1, 2], "b": {}, "c": "é"})), r#"{"a": [1, 2], "b": {}, "c": "é"}"#);
    }
}
