//! Fields, by tables.

use super::{captured::MAX_NAME, *};

fn scan(body: &str) -> Scan {
    let mut scanner = Scanner::new();
    scanner.feed(body.as_bytes()).expect(body);
    scanner.finish().expect(body)
}

fn model(body: &str) -> Option<String> {
    match scan(body).model {
        Model::Name { name, span } => {
            let token: String = serde_json::from_str(&body[span.range()]).unwrap_or_else(|_| name.clone());
            assert_eq!(token, name, "{body}");
            Some(name)
        }
        Model::NotAString(_) | Model::Absent => None,
    }
}

#[test]
fn an_empty_object_says_nothing() {
    let read = scan(" {} ");
    assert_eq!(
        read,
        Scan {
            model: Model::Absent,
            stream: false,
            stream_options: StreamOptions::Absent,
            max_tokens: None,
            user: None,
            prompt: Prompt::default(),
            members_at: 2,
            empty: true,
        }
    );
}

#[test]
fn the_model_is_read_wherever_it_stands() {
    for (body, name) in [
        (r#"{"model":"m"}"#, Some("m")),
        (
            r#"{"messages":[{"model":"x","content":[{"model":"y"}]}],"model" : "a/b-c" , "metadata":{"model":"z"}}"#,
            Some("a/b-c"),
        ),
        (r#"{"mod\u0065l":"m"}"#, Some("m")),
        (r#"{"model":"\u006d\"\\\/\ud83d\ude00é"}"#, Some("m\"\\/😀é")),
        (r#"{"model":"a","model":"b"}"#, Some("b")),
        (r#"{"model":"a","mod\u0065l":"b"}"#, Some("b")),
        (r#"{"model":"a","model":null}"#, None),
        (r#"{"model":null,"model":"b"}"#, Some("b")),
        (r#"{"model":"  "}"#, Some("  ")),
        (r#"{"model":""}"#, Some("")),
        (r#"{"model":"\ud800"}"#, Some("\u{fffd}")),
        (r#"{"model":"a\udc00b"}"#, Some("a\u{fffd}b")),
        (r#"{"Model":"m","model ":"m","mode":"m","modell":"m"}"#, None),
        (r#"{"nested":{"model":"m"}}"#, None),
        (r#"{"nested":[{"model":"m"},"model"]}"#, None),
    ] {
        assert_eq!(model(body).as_deref(), name, "{body}");
    }
}

#[test]
fn a_model_that_is_no_string_is_told_from_none() {
    for value in ["null", "true", "12", "-1.5e3", "[]", "{}", r#"["m"]"#, r#"{"model":"m"}"#] {
        let body = format!(r#"{{"model": {value} , "x":1}}"#);
        let Model::NotAString(span) = scan(&body).model else { panic!("{body}") };
        assert_eq!(&body[span.range()], value);
    }
}

#[test]
fn a_model_longer_than_the_bound_is_refused_by_name() {
    let longest = "m".repeat(MAX_NAME);
    assert_eq!(model(&format!(r#"{{"model":"{longest}"}}"#)), Some(longest.clone()));
    let escaped = r"\u006d".repeat(MAX_NAME);
    assert_eq!(model(&format!(r#"{{"model":"{escaped}"}}"#)), Some(longest.clone()));

    let body = format!(r#"{{"model": "{longest}m"}}"#);
    let refused = Scanner::new().feed(body.as_bytes());
    assert_eq!(refused, Err(ScanError::TooLong { field: "model", limit: 4096, offset: 10 }));
    assert_eq!(refused.map_err(|e| e.to_string()), Err("`model` is longer than 4096 bytes at byte 10".to_owned()));
}

#[test]
fn a_user_longer_than_the_bound_is_no_user() {
    let longest = "ü".repeat(MAX_NAME / 2);
    assert_eq!(scan(&format!(r#"{{"user":"{longest}"}}"#)).user, Some(longest.clone()));
    assert_eq!(scan(&format!(r#"{{"user":"{longest}u"}}"#)).user, None);
    assert_eq!(scan(r#"{"user":"a","user":7}"#).user, None);
    assert_eq!(scan(r#"{"user":"a\n"}"#).user.as_deref(), Some("a\n"));
}

#[test]
fn what_engines_take_for_true_streams() {
    for (value, stream) in [
        ("true", true),
        ("false", false),
        ("null", false),
        ("1", true),
        ("1.0", true),
        ("0", false),
        (r#""true""#, true),
        (r#""Yes""#, true),
        (r#""off""#, false),
        (r#""truest""#, false),
        ("[true]", false),
        (r#"{"stream":true}"#, false),
    ] {
        assert_eq!(scan(&format!(r#"{{"stream":{value}}}"#)).stream, stream, "{value}");
    }
    assert!(!scan(r#"{"stream":true,"stream":"x"}"#).stream);
    assert!(!scan(r#"{"stream":"true","stream":{}}"#).stream);
    assert!(scan(r#"{"stream":[],"stream":true}"#).stream);
}

#[test]
fn the_token_bound_is_the_newer_field_else_the_older() {
    for (members, bound) in [
        (r#""max_tokens":16"#, Some(16)),
        (r#""max_completion_tokens":8"#, Some(8)),
        (r#""max_completion_tokens":8,"max_tokens":16"#, Some(8)),
        (r#""max_tokens":16,"max_completion_tokens":null"#, Some(16)),
        (r#""max_tokens":18446744073709551615"#, Some(u64::MAX)),
        (r#""max_tokens":18446744073709551616"#, None),
        (r#""max_tokens":99999999999999999999999999999999"#, None),
        (r#""max_tokens":-1"#, None),
        (r#""max_tokens":1.5"#, None),
        (r#""max_tokens":1e3"#, None),
        (r#""max_tokens":0"#, Some(0)),
        (r#""max_tokens":"16""#, None),
        (r#""max_tokens":16,"max_tokens":[1]"#, None),
    ] {
        assert_eq!(scan(&format!("{{{members}}}")).max_tokens, bound, "{members}");
    }
}

#[test]
fn stream_options_are_told_apart() {
    let read = |value: &str| {
        let body = format!(r#"{{ "stream_options" : {value} }}"#);
        let options = scan(&body).stream_options;
        let (StreamOptions::Null(span) | StreamOptions::Other(span) | StreamOptions::Object { span, .. }) = &options
        else {
            panic!("{body}: absent")
        };
        assert_eq!(&body[span.range()], value);
        options
    };
    assert!(matches!(read("null"), StreamOptions::Null(_)));
    for other in ["true", "1", r#""x""#, "[]", r#"[{"include_usage":true}]"#] {
        assert!(matches!(read(other), StreamOptions::Other(_)), "{other}");
    }
    assert!(matches!(read("{ }"), StreamOptions::Object { empty: true, include_usage: None, .. }));
    for unset in [r#"{"a":{"include_usage":true}}"#, r#"{"continuous_usage_stats":true}"#] {
        assert!(matches!(read(unset), StreamOptions::Object { empty: false, include_usage: None, .. }), "{unset}");
    }
    let continuous = read(r#"{"continuous_usage_stats":true,"include_usage":false}"#);
    let on = |switch: Option<Switch>| switch.is_some_and(|switch| switch.on);
    assert!(matches!(continuous, StreamOptions::Object { include_usage, continuous_usage, .. }
        if !on(include_usage) && on(continuous_usage)));
    for (value, expected) in [
        ("true", true),
        ("false", false),
        ("null", false),
        (r#""true""#, true),
        (r#""no""#, false),
        ("1", true),
        ("-0", false),
        ("[true]", false),
        (r#"{"include_usage":true}"#, false),
        (r#"false,"include_usage":true"#, true),
        (r#"true,"include_usag\u0065":{}"#, false),
    ] {
        let StreamOptions::Object { empty: false, include_usage: Some(usage), .. } =
            read(&format!(r#"{{"a":[],"include_usage":{value}}}"#))
        else {
            panic!("{value}")
        };
        assert_eq!(usage.on, expected, "{value}");
    }
}

#[test]
fn a_second_stream_options_replaces_the_first() {
    let read = scan(r#"{"stream_options":{"include_usage":true},"stream_options":{}}"#);
    assert!(matches!(read.stream_options, StreamOptions::Object { empty: true, include_usage: None, .. }));
    let read = scan(r#"{"stream_options":{"include_usage":true},"stream_options":null}"#);
    assert!(matches!(read.stream_options, StreamOptions::Null(_)));
}

#[test]
fn overlong_names_of_members_are_no_known_names() {
    let key = format!("model{}", "x".repeat(10_000));
    assert_eq!(scan(&format!(r#"{{"{key}":"m"}}"#)).model, Model::Absent);
    assert!(!scan(&format!(r#"{{"{key}":"m"}}"#)).empty);
}
