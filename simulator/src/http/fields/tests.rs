use serde_json::json;

use super::*;

fn message(failure: Failure) -> (String, Option<String>) {
    match failure {
        Failure::Error { message, param, .. } => (message, param),
        other => (format!("{other:?}"), None),
    }
}

fn read<T>(body: &Value, read: impl FnOnce(&mut Fields<'_>) -> T) -> (T, Result<(), Failure>) {
    let object = body.as_object().expect("tests give objects");
    let mut fields = Fields::new(object);
    let value = read(&mut fields);
    (value, fields.finish())
}

fn body(content_type: &str, body: &[u8]) -> Result<Map<String, Value>, Failure> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, content_type.parse().expect("a header"));
    object(&headers, body)
}

#[test]
fn numbers_and_flags_are_read_as_laxly_as_pydantic_reads_them() {
    let (values, result) =
        read(&json!({"a": "16", "b": 16.0, "c": true, "d": null, "e": "2.5", "f": "Yes", "g": 0}), |fields| {
            let integers = ["a", "b", "c", "d", "absent"].map(|name| fields.integer(name));
            (integers, fields.float("e"), fields.flag("f"), fields.flag("g"))
        });
    assert!(result.is_ok());
    let integers = [Some(16), Some(16), Some(1), None, None];
    assert_eq!(values, (integers, Some(2.5), true, false));
}

#[test]
fn every_wrong_field_is_named_and_the_first_is_the_param() {
    let (_, result) = read(&json!({"model": 5, "n": 1.5, "o": {"p": []}}), |fields| {
        fields.required_objects("messages");
        fields.string("model");
        fields.integer("n");
        fields.nested("o", |nested| nested.flag("p"));
    });
    let (message, param) = message(result.expect_err("four problems"));
    assert_eq!(
        message,
        "4 validation errors:\n  \
         {'type': 'missing', 'loc': 'body.messages', 'msg': 'Field required', 'input': '<dict of 3 items>'}\n  \
         {'type': 'string_type', 'loc': 'body.model', 'msg': 'Input should be a valid string', 'input': '5'}\n  \
         {'type': 'int_from_float', 'loc': 'body.n', 'msg': 'Input should be a valid integer, got a number with a fractional part', 'input': '1.5'}\n  \
         {'type': 'bool_type', 'loc': 'body.o.p', 'msg': 'Input should be a valid boolean', 'input': '<list of 0 items>'}"
    );
    assert_eq!(param.as_deref(), Some("body.messages"));
}

#[test]
fn a_long_value_is_cut_and_quotes_follow_python() {
    let (_, result) = read(&json!({"n": "it's", "m": "x".repeat(201)}), |fields| {
        fields.integer("n");
        fields.integer("m");
    });
    let (message, _) = message(result.expect_err("no integers"));
    assert!(message.contains(r#"'input': "it's"}"#), "{message}");
    assert!(message.contains(&format!("'{}...[truncated]'", "x".repeat(200))), "{message}");
}

#[test]
fn bad_json_is_a_400_that_says_where() {
    let (message, param) = message(body("application/json", b"{\"a\": }").expect_err("bad JSON"));
    assert!(message.starts_with("1 validation error:\n  {'type': 'json_invalid', 'loc': 'body.6'"), "{message}");
    assert_eq!(param.as_deref(), Some("body.6"));
}

#[test]
fn bodies_that_are_no_json_object_are_refused() {
    for (content_type, bytes, start) in [
        ("text/plain", &b"{}"[..], "1 validation error:\n  Unsupported Media Type"),
        ("application/json", b"", "1 validation error:\n  {'type': 'missing', 'loc': 'body',"),
        ("application/json", b"[]", "1 validation error:\n  {'type': 'model_attributes_type',"),
        ("application/json", b"\xff", "There was an error parsing the body"),
    ] {
        let (message, _) = message(body(content_type, bytes).expect_err(start));
        assert!(message.starts_with(start), "{message}");
    }
    assert!(body("application/json; charset=utf-8", b"{}").is_ok());
}
