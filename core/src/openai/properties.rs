//! What holds for every body, checked against serde_json on generated and on broken ones.

pub(crate) mod json;
pub(crate) mod reference;

use proptest::{collection::vec, prelude::*, sample::Index};
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::{Model, Rewrite, Scan, ScanError, Scanner, StreamOptions};

fn scan<'b>(chunks: impl IntoIterator<Item = &'b [u8]>) -> Result<Scan, ScanError> {
    let mut scanner = Scanner::new();
    for chunk in chunks {
        scanner.feed(chunk)?;
    }
    scanner.finish()
}

/// `bytes` in pieces, cut at these places.
pub(super) fn cut<'b>(bytes: &'b [u8], cuts: &[Index]) -> Vec<&'b [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

/// Whether serde_json takes `body` for one JSON object in UTF-8.
///
/// `IgnoredAny` checks the syntax alone, as the scanner does: a number too large for an `f64` and a
/// lone surrogate escape are well-formed. Two refusals are the scanner's own, and generated bodies
/// stay clear of them: nesting beyond 128 levels and a `model` beyond 4 KiB.
fn is_object(body: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(body) else { return false };
    let object = text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{');
    object && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

#[derive(Debug, Clone)]
enum Damage {
    Replace(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Truncate(Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let byte =
        prop_oneof![3 => prop::sample::select(&b"\"\\{}[],:0-.e u\x00\x1f\xc3\xa9\xed\xf0\xff"[..]), 1 => any::<u8>()];
    prop_oneof![
        3 => (any::<Index>(), byte.clone()).prop_map(|(at, byte)| Damage::Replace(at, byte)),
        3 => (any::<Index>(), byte).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        3 => any::<Index>().prop_map(Damage::Remove),
        1 => any::<Index>().prop_map(Damage::Truncate),
    ]
}

fn damaged(mut body: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        match damage {
            _ if body.is_empty() => {}
            Damage::Replace(at, byte) => *at.get_mut(&mut body) = *byte,
            Damage::Insert(at, byte) => body.insert(at.index(body.len() + 1), *byte),
            Damage::Remove(at) => drop(body.remove(at.index(body.len()))),
            Damage::Truncate(at) => body.truncate(at.index(body.len())),
        }
    }
    body
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn chunks_make_no_difference(
        body in json::request(), damages in vec(damage(), 0..3), cuts in vec(any::<Index>(), 0..6),
    ) {
        let body = damaged(body.into_bytes(), &damages);
        let whole = scan([&body[..]]);
        prop_assert_eq!(&scan(cut(&body, &cuts)), &whole);
        prop_assert_eq!(&scan(body.chunks(1)), &whole);
    }

    #[test]
    fn accepts_what_serde_json_accepts(body in json::request(), damages in vec(damage(), 0..3)) {
        let body = damaged(body.into_bytes(), &damages);
        let read = scan([&body[..]]);
        prop_assert_eq!(read.is_ok(), is_object(&body), "{:?}: {}", read, String::from_utf8_lossy(&body));
    }

    #[test]
    fn any_bytes_are_judged_as_serde_json_judges_them(body in vec(any::<u8>(), 0..40)) {
        let body = [b"{\"a\":", &body[..]].concat();
        prop_assert_eq!(scan([&body[..]]).is_ok(), is_object(&body));
    }

    #[test]
    fn reads_what_a_dom_reads(body in json::request()) {
        let read = scan([body.as_bytes()])?;
        let value: Value = serde_json::from_str(&body)?;
        let (kind, prompt) = reference::from_value(&value);
        prop_assert_eq!(read.prompt.kind, kind);
        prop_assert_eq!(reference::from_parts(&read.prompt, body.as_bytes()), &prompt[..]);
        prop_assert_eq!(read.prompt.chars, prompt.chars().count() as u64);
        let stream = &value["stream"];
        prop_assert!(read.stream || *stream != json!(true));
        prop_assert!(!read.stream || *stream == json!(true) || stream.is_number() || stream.is_string());
        prop_assert_eq!(read.user.as_deref(), value["user"].as_str());
        let bound = |field: &str| value[field].as_u64();
        prop_assert_eq!(read.max_tokens, bound("max_completion_tokens").or(bound("max_tokens")));
        prop_assert_eq!(read.empty, value == json!({}));
        prop_assert_eq!(body[..read.members_at].trim_start(), "{");
    }

    #[test]
    fn spans_are_where_the_values_are(body in json::request()) {
        let read = scan([body.as_bytes()])?;
        let value: Value = serde_json::from_str(&body)?;
        let at = |span: super::Span| serde_json::from_str::<Value>(&body[span.range()]);
        match &read.model {
            Model::Absent => prop_assert_eq!(value.get("model"), None),
            Model::NotAString(span) => {
                prop_assert!(!value["model"].is_string());
                prop_assert_eq!(&at(*span)?, &value["model"]);
            }
            Model::Name { name, span } => {
                prop_assert_eq!(value["model"].as_str(), Some(&name[..]));
                prop_assert_eq!(&at(*span)?, &value["model"]);
            }
        }
        let options = value.get("stream_options");
        match &read.stream_options {
            StreamOptions::Absent => prop_assert_eq!(options, None),
            StreamOptions::Null(span) => {
                prop_assert_eq!(options, Some(&Value::Null));
                prop_assert_eq!(&body[span.range()], "null");
            }
            StreamOptions::Other(span) => prop_assert_eq!(Some(&at(*span)?), options),
            StreamOptions::Object { span, empty, include_usage, continuous_usage } => {
                prop_assert_eq!(Some(&at(*span)?), options);
                prop_assert_eq!(*empty, options == Some(&json!({})));
                for (name, switch) in [("include_usage", include_usage), ("continuous_usage_stats", continuous_usage)] {
                    let value = switch.map(|switch| at(switch.span)).transpose()?;
                    prop_assert_eq!(value.as_ref(), options.and_then(|options| options.get(name)));
                    let on = switch.is_some_and(|switch| switch.on);
                    prop_assert!(on || value != Some(json!(true)));
                    prop_assert!(!on || value.is_some_and(|value| value == json!(true) || !value.is_boolean()));
                }
            }
        }
    }

    #[test]
    fn a_rewrite_changes_the_edited_fields_and_no_other_byte(
        body in json::request(), model in prop::option::of(any::<String>()), usage in any::<bool>(),
    ) {
        let read = scan([body.as_bytes()])?;
        let rewrite = Rewrite::plan(&read, model.as_deref(), usage);
        let (prefix, rest) = body.as_bytes().split_at(rewrite.prefix_len());
        let edited = [rewrite.apply(prefix), rest.to_vec()].concat();
        prop_assert_eq!(&edited, &rewrite.apply(body.as_bytes()));
        prop_assert_eq!(edited == body.as_bytes(), rewrite.is_empty());

        let before: Value = serde_json::from_str(&body)?;
        let mut expected = before.clone();
        if let (Some(model), Value::String(_)) = (&model, &before["model"]) {
            expected["model"] = json!(model);
        }
        let options = &before["stream_options"];
        if usage && read.stream && (options.is_null() || options.is_object()) {
            expected["stream_options"]["include_usage"] = json!(true);
            let continuous = matches!(read.stream_options,
                StreamOptions::Object { continuous_usage: Some(usage), .. } if usage.on);
            if rewrite.adds_usage() && continuous {
                expected["stream_options"]["continuous_usage_stats"] = json!(false);
            }
        }
        let after: Value = serde_json::from_slice(&edited)?;
        prop_assert_eq!(&after, &expected);
        prop_assert_eq!(rewrite.adds_usage(), expected["stream_options"] != before["stream_options"]);
        let again = Rewrite::plan(&scan([&edited[..]])?, model.as_deref(), usage);
        prop_assert!(again.is_empty(), "a second rewrite finds nothing to do");
    }
}
