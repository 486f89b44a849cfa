//! Streams, by tables and by properties.

use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};

use super::*;
use crate::openai::properties::cut;

const DELTA: &str = r#"data: {"choices":[{"delta":{"content":"hi"}}],"usage":null}"#;
const USAGE: &str = r#"data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#;

/// What a reader makes of a stream.
#[derive(Debug, PartialEq)]
struct Outcome {
    forwarded: String,
    usage: Option<u64>,
    events: u64,
    done: bool,
}

fn run<'c>(withhold: bool, chunks: impl IntoIterator<Item = &'c [u8]>) -> Outcome {
    let mut reader = UsageReader::new(withhold);
    let mut forwarded = Vec::new();
    for chunk in chunks {
        match reader.feed(chunk) {
            Forward::Unchanged => forwarded.extend_from_slice(chunk),
            Forward::Replace(bytes) => forwarded.extend(bytes),
        }
    }
    forwarded.extend(reader.finish());
    assert!(reader.finish().is_empty(), "nothing is returned twice");
    Outcome {
        forwarded: String::from_utf8_lossy(&forwarded).into_owned(),
        usage: reader.usage().map(|usage| usage.total_tokens),
        events: reader.events(),
        done: reader.done(),
    }
}

/// Runs a stream whole and cut at every byte.
fn withheld(stream: &str) -> Outcome {
    let whole = run(true, [stream.as_bytes()]);
    assert_eq!(run(true, stream.as_bytes().chunks(1)), whole, "{stream:?}");
    whole
}

#[test]
fn the_usage_event_is_withheld_whole() {
    for end in ["\n", "\r\n", "\r"] {
        let event = |line: &str| format!("{line}{end}{end}");
        let (delta, usage, done) = (event(DELTA), event(USAGE), event("data: [DONE]"));
        let outcome = withheld(&[&delta[..], &delta, &usage, &done].concat());
        assert_eq!(
            outcome,
            Outcome { forwarded: [&delta[..], &delta, &done].concat(), usage: Some(7), events: 3, done: true },
        );
    }
}

#[test]
fn without_withholding_every_byte_passes_at_once() {
    let stream = format!("{DELTA}\n\n{USAGE}\n\ndata: [DONE]\n\n");
    for size in [1, 7, stream.len()] {
        let mut reader = UsageReader::new(false);
        for chunk in stream.as_bytes().chunks(size) {
            assert_eq!(reader.feed(chunk), Forward::Unchanged);
        }
        assert_eq!(reader.finish(), b"");
        assert_eq!(reader.usage(), Some(Usage { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 }));
        assert_eq!((reader.events(), reader.done()), (2, true));
    }
}

#[test]
fn whole_events_pass_uncopied_and_a_cut_one_is_held() {
    let mut reader = UsageReader::new(true);
    assert_eq!(reader.feed(format!("{DELTA}\n\n").as_bytes()), Forward::Unchanged);
    assert_eq!(reader.feed(b": ping\n\ndata: {"), Forward::Replace(b": ping\n\n".to_vec()));
    assert_eq!(reader.feed(b"\"a\":1}"), Forward::Replace(Vec::new()));
    assert_eq!(reader.feed(b"\n\n: x\n\n"), Forward::Replace(b"data: {\"a\":1}\n\n: x\n\n".to_vec()));
    assert_eq!(reader.feed(b"\n"), Forward::Unchanged);
}

#[test]
fn an_event_that_ends_with_a_carriage_return_does_not_wait_for_a_line_feed() {
    let mut reader = UsageReader::new(true);
    assert_eq!(reader.feed(b"data: x\r\n\r"), Forward::Unchanged);
    assert_eq!(reader.feed(b"\ndata: y\r\r"), Forward::Unchanged);
    assert_eq!(reader.feed(format!("{USAGE}\r\n\r").as_bytes()), Forward::Replace(Vec::new()));
    assert_eq!(reader.feed(b"\n"), Forward::Replace(Vec::new()));
    assert_eq!(reader.feed(b"\n"), Forward::Unchanged);
}

#[test]
fn only_usage_with_empty_choices_is_withheld() {
    for kept in [
        DELTA,
        r#"data: {"choices":[{"delta":{}}],"usage":{"total_tokens":7}}"#,
        r#"data: {"usage":{"total_tokens":7}}"#,
        r#"data: {"choices":null,"usage":{"total_tokens":7}}"#,
        r#"data: {"choices":[],"usage":null}"#,
        r#"data: {"choices":[],"prompt_filter_results":[]}"#,
        r#"data: {"choices":[],"usage":{"total_tokens":7}"#,
        r#"data: [{"choices":[],"usage":{"total_tokens":7}}]"#,
        r#": {"choices":[],"usage":{"total_tokens":7}}"#,
        r#"database: {"choices":[],"usage":{"total_tokens":7}}"#,
        "event: ping",
        "data",
        "data:",
        "",
    ] {
        let stream = format!("{kept}\n\n");
        assert_eq!(withheld(&stream).forwarded, stream);
    }
    for gone in [
        USAGE,
        r#"data:{"usage":{},"choices":[]}"#,
        r#"data: {"usage":{"total_tokens":7},"choices":[{}],"choices":[ ]}"#,
        "id: 7\nevent: x\ndata: {\"usage\":{\"total_tokens\":7},\ndata: \"choices\":[]}\n: y",
    ] {
        assert_eq!(withheld(&format!("{gone}\n\n")).forwarded, "", "{gone}");
    }
}

#[test]
fn the_last_usage_counts() {
    let event = |total: &str| format!("data: {{\"choices\":[{{}}],\"usage\":{total}}}\n\n");
    let stream = [
        event(r#"{"total_tokens":1}"#),
        event(r#"{"completion_tokens":2}"#),
        event("null"),
        event(r#"{"total_tokens":0}"#),
    ];
    let outcome = withheld(&stream.concat());
    assert_eq!((outcome.usage, outcome.events), (Some(2), 4));
    assert_eq!(outcome.forwarded, stream.concat());
}

#[test]
fn responses_and_messages_tell_their_usage_in_their_own_way() {
    let responses = [
        r#"data: {"type":"response.created","response":{"usage":null}}"#,
        r#"data: {"type":"response.output_text.delta","delta":"hi"}"#,
        r#"data: {"type":"response.completed","response":{"usage":{"input_tokens":9,"output_tokens":2,"total_tokens":11}}}"#,
    ];
    let messages = [
        r#"data: {"type":"message_start","message":{"usage":{"input_tokens":9,"output_tokens":0}}}"#,
        r#"data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"hi"}}"#,
        r#"data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}"#,
    ];
    for events in [responses, messages] {
        let stream: String = events.iter().map(|event| format!("{event}\n\n")).collect();
        let mut reader = UsageReader::new(false);
        reader.feed(stream.as_bytes());
        let usage = reader.usage().unwrap();
        assert_eq!((usage.prompt_tokens, usage.completion_tokens, usage.total_tokens), (9, 2, 11), "{stream}");
    }
}

/// The last usage of a stream of these events' data.
fn counted(events: &[&str]) -> Option<(u64, u64, u64)> {
    let stream: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    let mut reader = UsageReader::new(false);
    reader.feed(stream.as_bytes());
    reader.usage().map(|usage| (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens))
}

#[test]
fn anthropic_s_cached_tokens_are_the_prompt_s_and_counts_that_grow_are_not_added_up() {
    let start = r#"{"type":"message_start","message":{"usage":{"input_tokens":3,"cache_creation_input_tokens":20,"cache_read_input_tokens":100,"output_tokens":1}}}"#;
    for (deltas, expected) in [
        (&[r#"{"type":"message_delta","usage":{"output_tokens":7}}"#][..], (123, 7, 130)),
        (
            &[
                r#"{"type":"message_delta","usage":{"output_tokens":5}}"#,
                r#"{"type":"message_delta","usage":{"output_tokens":9}}"#,
            ],
            (123, 9, 132),
        ),
        (&[r#"{"type":"message_delta","usage":{"input_tokens":3,"output_tokens":7}}"#], (123, 7, 130)),
        (&[r#"{"type":"message_delta","usage":{"input_tokens":0,"output_tokens":7}}"#], (123, 7, 130)),
        (
            &[
                r#"{"type":"message_delta","usage":{"input_tokens":3,"cache_creation_input_tokens":20,"cache_read_input_tokens":100,"output_tokens":7}}"#,
            ],
            (123, 7, 130),
        ),
        (
            &[r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#, r#"{"type":"message_stop"}"#],
            (123, 1, 124),
        ),
    ] {
        assert_eq!(counted(&[&[start], deltas].concat()), Some(expected), "{deltas:?}");
    }
    // vLLM counts the cached ones as input first, and knows of the cache at the end.
    let vllm = [
        r#"{"type":"message_start","message":{"usage":{"input_tokens":12,"output_tokens":0}}}"#,
        r#"{"type":"message_delta","usage":{"input_tokens":0,"output_tokens":2,"cache_read_input_tokens":12,"cache_creation_input_tokens":0}}"#,
    ];
    assert_eq!(counted(&vllm), Some((12, 2, 14)));
}

#[test]
fn usage_that_rides_on_every_event_is_counted_once_as_it_is_at_the_end() {
    let event = |completion: u64| {
        format!(
            r#"{{"choices":[{{}}],"usage":{{"prompt_tokens":12,"total_tokens":{},"completion_tokens":{completion}}}}}"#,
            12 + completion
        )
    };
    let events: Vec<String> = (0..5).map(event).collect();
    let end = r#"{"choices":[],"usage":{"prompt_tokens":12,"total_tokens":16,"completion_tokens":4}}"#;
    let all: Vec<&str> = events.iter().map(String::as_str).chain([end]).collect();
    assert_eq!(counted(&all), Some((12, 4, 16)));
    assert_eq!(counted(&all[..3]), Some((12, 2, 14)), "a stream that was cut says what it said last");
}

#[test]
fn a_response_s_usage_is_that_of_its_last_event_whole_or_incomplete() {
    for kind in ["completed", "incomplete", "failed"] {
        let end = format!(
            r#"{{"response":{{"id":"r","status":"{kind}","output":[{{"usage":{{"input_tokens":1}}}}],"usage":{{"input_tokens":9,"input_tokens_details":{{"cached_tokens":4}},"output_tokens":2,"total_tokens":11}}}},"sequence_number":9,"type":"response.{kind}"}}"#
        );
        let created = r#"{"response":{"usage":null},"type":"response.created"}"#;
        let delta = r#"{"delta":"\"usage\"","type":"response.output_text.delta"}"#;
        assert_eq!(counted(&[created, created, delta, &end]), Some((9, 2, 11)), "{kind}");
    }
}

#[test]
fn a_stream_that_ends_without_a_blank_line_is_read_to_its_end() {
    for end in ["", "\n"] {
        let outcome = withheld(&format!("{DELTA}\n\n{USAGE}{end}"));
        assert_eq!((outcome.forwarded, outcome.usage), (format!("{DELTA}\n\n"), Some(7)));
        let outcome = withheld(&format!("{USAGE}\n\ndata: [DONE]{end}"));
        assert_eq!((outcome.forwarded, outcome.done), (format!("data: [DONE]{end}"), true));
    }
    let cut_short = &USAGE[..40];
    assert_eq!(withheld(cut_short).forwarded, cut_short);
}

#[test]
fn an_event_beyond_the_bound_passes_unread() {
    let pad = "x".repeat(MAX_EVENT);
    let long = format!("data: {{\"choices\":[],\"usage\":{{\"total_tokens\":9}},\"pad\":\"{pad}\"}}\n\n");
    let stream = format!("{long}{DELTA}\n\n{USAGE}\n\n");
    for size in [1000, 1 << 16, stream.len()] {
        let outcome = run(true, stream.as_bytes().chunks(size));
        assert_eq!((outcome.usage, outcome.events), (Some(7), 2));
        assert!(outcome.forwarded == format!("{long}{DELTA}\n\n"), "chunks of {size}");
        assert_eq!(run(false, stream.as_bytes().chunks(size)).usage, Some(7));
    }
    let mut reader = UsageReader::new(true);
    let Forward::Replace(first) = reader.feed(&long.as_bytes()[..10]) else { panic!("a cut event is held") };
    assert_eq!(first, b"");
    let Forward::Replace(rest) = reader.feed(&long.as_bytes()[10..long.len() - 3]) else { panic!("held bytes come") };
    assert!(rest == long.as_bytes()[..long.len() - 3], "what is too long is not held any longer");
    assert_eq!(reader.feed(&long.as_bytes()[long.len() - 3..]), Forward::Unchanged);
}

/// A line of an event, and whether an event of this line alone is withheld.
fn line() -> impl Strategy<Value = (String, bool)> {
    prop_oneof![
        3 => Just((DELTA.to_owned(), false)),
        2 => Just((USAGE.to_owned(), true)),
        1 => select(&["data: [DONE]", ": ping", "event: x", "data: é\u{fffd}", "retry: 3"][..]).prop_map(|line| (line.to_owned(), false)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_withheld_does_not_depend_on_the_chunks(
        events in vec((line(), select(&["\n", "\r\n", "\r"][..])), 0..8),
        tail in select(&["", "data: {\"usa", "data: x\r", ": "][..]),
        cuts in vec(any::<Index>(), 0..8),
    ) {
        let mut stream = String::new();
        let mut expected = String::new();
        for ((line, withheld), end) in &events {
            // An event never begins with the line feed of a `\r\n`, or it would be the last one's.
            let event = format!("{line}{end}{end}");
            stream += &event;
            if !withheld {
                expected += &event;
            }
        }
        stream += tail;
        expected += tail;
        let outcome = run(true, cut(stream.as_bytes(), &cuts));
        prop_assert_eq!(&outcome.forwarded, &expected);
        prop_assert_eq!(&outcome, &run(true, [stream.as_bytes()]));
        let passed = run(false, cut(stream.as_bytes(), &cuts));
        prop_assert_eq!(&passed, &Outcome { forwarded: stream.clone(), ..outcome });
    }

    #[test]
    fn any_bytes_pass_whatever_the_chunks(
        bytes in vec(select(&b"data: {}\"usage\"\r\r\n\n\n:x\xff"[..]), 0..60),
        cuts in vec(any::<Index>(), 0..8),
    ) {
        let whole = run(true, [&bytes[..]]);
        prop_assert_eq!(&run(true, cut(&bytes, &cuts)), &whole);
        prop_assert_eq!(whole.forwarded, String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn done_is_no_proof_of_success() {
    let error = "data: {\"error\": {\"message\": \"gone\", \"type\": \"InternalServerError\", \"code\": 500}}\n\n";
    let later = error.replace("gone", "later");
    let stream = format!("{DELTA}\n\n{error}{later}data: [DONE]\n\n");
    for withhold in [false, true] {
        for size in [1, 7, stream.len()] {
            let mut reader = UsageReader::new(withhold);
            let mut forwarded = Vec::new();
            for chunk in stream.as_bytes().chunks(size) {
                match reader.feed(chunk) {
                    Forward::Unchanged => forwarded.extend_from_slice(chunk),
                    Forward::Replace(bytes) => forwarded.extend(bytes),
                }
            }
            forwarded.extend(reader.finish());
            assert_eq!(String::from_utf8(forwarded).unwrap(), stream, "the client gets what the engine sent");
            assert_eq!(reader.error(), Some(&StreamError { status: 500, message: "gone".into() }), "the first counts");
            assert!(reader.done());
            assert_eq!(reader.content(), 1, "an error is none");
        }
    }
}
