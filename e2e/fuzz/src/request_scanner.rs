//! Any bytes as a request body: chunks make no difference, JSON is what serde_json says it is, and
//! a rewrite changes what it should and nothing else.

use crate::somewhere;
use kthena_core::openai::{Model, Rewrite, Scan, ScanError, Scanner, StreamOptions};
use serde::de::IgnoredAny;
use serde_json::{Value, json};

/// Feeds the bytes.
///
/// # Panics
/// When something that must hold does not.
pub fn run(body: &[u8]) {
    let whole = scan([body]);
    assert_eq!(scan(body.chunks(1)), whole);
    let (first, rest) = body.split_at(somewhere(body));
    assert_eq!(scan([first, rest]), whole);

    match whole {
        Err(ScanError::TooDeep { .. } | ScanError::TooLong { .. }) => {}
        Err(error) => {
            assert!(!is_object(body), "{error}");
            assert!(error.offset() <= body.len());
        }
        Ok(scan) => {
            assert!(is_object(body));
            check_rewrite(body, &scan);
        }
    }
}

fn scan<'b>(chunks: impl IntoIterator<Item = &'b [u8]>) -> Result<Scan, ScanError> {
    let mut scanner = Scanner::new();
    for chunk in chunks {
        scanner.feed(chunk)?;
    }
    scanner.finish()
}

fn is_object(body: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(body) else { return false };
    let object = text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{');
    object && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

fn check_rewrite(body: &[u8], read: &Scan) {
    for part in &read.prompt.parts {
        let raw = str::from_utf8(&body[part.span.range()]).expect("a part is UTF-8");
        assert_eq!(raw.contains('\\'), part.escaped);
    }
    let rewrite = Rewrite::plan(read, Some("new \"name\""), true);
    let (prefix, rest) = body.split_at(rewrite.prefix_len());
    let edited = [&rewrite.apply(prefix), rest].concat();
    assert_eq!(edited == body, rewrite.is_empty());

    let again = scan([&edited[..]]).expect("an edited body is still an object");
    assert_eq!(again.prompt.chars, read.prompt.chars);
    assert_eq!(again.max_tokens, read.max_tokens);
    if let Model::Name { .. } = read.model {
        assert!(matches!(&again.model, Model::Name { name, .. } if name == "new \"name\""));
    }
    if rewrite.adds_usage() {
        assert!(matches!(again.stream_options, StreamOptions::Object { include_usage: Some(usage), .. } if usage.on));
    }
    // A DOM cannot hold every number, lone surrogates or deep nesting; where it can, it must agree.
    let Ok(mut expected) = serde_json::from_slice::<Value>(body) else { return };
    assert!(read.stream || expected["stream"] != json!(true));
    assert!(!read.stream || !(expected["stream"].is_null() || expected["stream"] == json!(false)));
    if expected["model"].is_string() {
        expected["model"] = json!("new \"name\"");
    }
    if rewrite.adds_usage() {
        expected["stream_options"]["include_usage"] = json!(true);
        if matches!(read.stream_options, StreamOptions::Object { continuous_usage: Some(usage), .. } if usage.on) {
            expected["stream_options"]["continuous_usage_stats"] = json!(false);
        }
    }
    assert_eq!(serde_json::from_slice::<Value>(&edited).expect("JSON"), expected);
}
