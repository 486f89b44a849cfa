//! Edits, by tables: the whole edited body is compared.

use super::*;
use crate::openai::Scanner;

fn plan(body: &str, model: Option<&str>, include_usage: bool) -> Rewrite {
    let mut scanner = Scanner::new();
    scanner.feed(body.as_bytes()).expect(body);
    Rewrite::plan(&scanner.finish().expect(body), model, include_usage)
}

fn edited(body: &str, rewrite: &Rewrite) -> String {
    let (prefix, rest) = body.split_at(rewrite.prefix_len());
    String::from_utf8(rewrite.apply(prefix.as_bytes())).expect("UTF-8") + rest
}

#[test]
fn the_model_is_replaced_and_nothing_else() {
    for (body, model, expected) in [
        (r#"{ "model" : "a" , "x":1.0}"#, "b", r#"{ "model" : "b" , "x":1.0}"#),
        (r#"{"x":[1e2],"model":"\u0061\n"}"#, "b", r#"{"x":[1e2],"model":"b"}"#),
        (r#"{"model":"a"}"#, "say \"hi\"\n\\é", r#"{"model":"say \"hi\"\n\\é"}"#),
        (r#"{"model":"a","model":"b"}"#, "c", r#"{"model":"a","model":"c"}"#),
        (r#"{"model":""}"#, "c", r#"{"model":"c"}"#),
    ] {
        let rewrite = plan(body, Some(model), false);
        assert_eq!(edited(body, &rewrite), expected);
        assert!(!rewrite.is_empty() && !rewrite.adds_usage(), "{body}");
    }
}

#[test]
fn a_model_that_has_the_name_already_stays_as_it_was_written() {
    for (body, model) in [
        (r#"{"model":"a"}"#, Some("a")),
        (r#"{"model":"\u0061"}"#, Some("a")),
        (r#"{"model":"a"}"#, None),
        (r#"{"model":7}"#, Some("a")),
        ("{}", Some("a")),
    ] {
        let rewrite = plan(body, model, true);
        assert_eq!(rewrite, Rewrite::default(), "{body}");
        assert!(rewrite.is_empty());
        assert_eq!((rewrite.prefix_len(), rewrite.apply(b"")), (0, Vec::new()));
    }
}

#[test]
fn a_stream_is_asked_for_its_usage() {
    for (body, expected) in [
        (r#"{"stream":true}"#, r#"{"stream_options":{"include_usage":true},"stream":true}"#),
        (r#" { "stream":true}"#, r#" {"stream_options":{"include_usage":true}, "stream":true}"#),
        (r#"{"stream":true,"stream_options":null}"#, r#"{"stream":true,"stream_options":{"include_usage":true}}"#),
        (r#"{"stream":true,"stream_options":{}}"#, r#"{"stream":true,"stream_options":{"include_usage":true}}"#),
        (r#"{"stream":true,"stream_options":{ }}"#, r#"{"stream":true,"stream_options":{"include_usage":true }}"#),
        (
            r#"{"stream":true,"stream_options":{"a":{"include_usage":false}}}"#,
            r#"{"stream":true,"stream_options":{"include_usage":true,"a":{"include_usage":false}}}"#,
        ),
        (
            r#"{"stream":true,"stream_options":{"include_usage": false ,"a":1}}"#,
            r#"{"stream":true,"stream_options":{"include_usage": true ,"a":1}}"#,
        ),
        (
            r#"{"stream":true,"stream_options":{"include_usage":[1,{"a":2}]}}"#,
            r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
        ),
        (
            r#"{"stream":true,"stream_options":{"continuous_usage_stats":true}}"#,
            r#"{"stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":false}}"#,
        ),
        (
            r#"{"stream":true,"stream_options":{"continuous_usage_stats":"yes","include_usage":0}}"#,
            r#"{"stream":true,"stream_options":{"continuous_usage_stats":false,"include_usage":true}}"#,
        ),
        (
            r#"{"stream_options":null,"stream":true,"stream_options":{}}"#,
            r#"{"stream_options":null,"stream":true,"stream_options":{"include_usage":true}}"#,
        ),
    ] {
        let rewrite = plan(body, None, true);
        assert_eq!(edited(body, &rewrite), expected);
        assert!(rewrite.adds_usage(), "{body}");
    }
}

#[test]
fn options_that_ask_already_or_cannot_ask_stay() {
    for body in [
        r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
        r#"{"stream":true,"stream_options":{"include_usage":false,"include_usage":true}}"#,
        r#"{"stream":true,"stream_options":[]}"#,
        r#"{"stream":true,"stream_options":"x"}"#,
        r#"{"stream":false}"#,
        r#"{"stream":false,"stream_options":{"include_usage":false}}"#,
        r#"{}"#,
    ] {
        let rewrite = plan(body, None, true);
        assert!(rewrite.is_empty() && !rewrite.adds_usage(), "{body}");
    }
    assert!(plan(r#"{"stream":true}"#, None, false).is_empty());
}

#[test]
fn edits_apply_in_the_order_of_the_body() {
    for (body, expected) in [
        (
            r#"{"model":"a","stream":true,"stream_options":{},"x":0}"#,
            r#"{"model":"bb","stream":true,"stream_options":{"include_usage":true},"x":0}"#,
        ),
        (
            r#"{"stream_options":{},"stream":true,"model":"a","x":0}"#,
            r#"{"stream_options":{"include_usage":true},"stream":true,"model":"bb","x":0}"#,
        ),
        (
            r#"{"stream":true,"model":"a","x":0}"#,
            r#"{"stream_options":{"include_usage":true},"stream":true,"model":"bb","x":0}"#,
        ),
    ] {
        assert_eq!(edited(body, &plan(body, Some("bb"), true)), expected);
    }
}

#[test]
fn only_the_prefix_up_to_the_last_edit_is_sent_again() {
    let long = "x".repeat(100_000);
    let body = format!(r#"{{"model":"a","stream":true,"prompt":"{long}"}}"#);
    assert_eq!(plan(&body, Some("b"), false).prefix_len(), r#"{"model":"a""#.len());
    assert_eq!(plan(&body, None, true).prefix_len(), 1);
}

#[test]
fn a_prefix_that_is_too_short_comes_back_unedited() {
    let body = r#"{"stream":true,"model":"a"}"#;
    let rewrite = plan(body, Some("b"), true);
    for len in 0..rewrite.prefix_len() {
        assert_eq!(rewrite.apply(&body.as_bytes()[..len]), &body.as_bytes()[..len]);
    }
    assert_eq!(rewrite.apply(body.as_bytes()), edited(body, &rewrite).as_bytes());
}
