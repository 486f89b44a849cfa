//! Streamed answers, event by event.

use super::subject::{CHAT, COMPLETIONS};
use super::{Case, Subject, cases, shape};
use crate::Answer;
use serde_json::{Value, json};

pub(super) const EVERYWHERE: &[Case] = cases![
    events_are_lines_of_data_with_one_blank_line,
    a_chat_opens_with_its_role,
    usage_is_the_last_event_when_asked_for,
    usage_rides_on_every_event_when_asked_for_both,
    a_completion_s_events_have_their_shape,
    two_prompts_interleave_and_share_one_usage,
    token_ids_come_with_their_tokens,
    a_stream_and_a_whole_answer_say_the_same,
];

const TOKENS: u64 = 20;

/// A stream of a chat, or of a completion.
async fn stream(it: &Subject, path: &str, more: Value) -> Answer {
    // Tokens that are ready together share an event: of this many, some are alone on any machine.
    let defaults = super::subject::with(json!({"max_tokens": TOKENS, "stream": true}), more);
    let body = if path == CHAT { it.chat_body(defaults) } else { it.completion_body(defaults) };
    it.front.post(path, &[], body.to_string()).await.ok()
}

/// The shapes of all events, without `[DONE]`; of neighbours that are alike only one.
fn shapes(answer: &Answer) -> Vec<String> {
    answer.events();
    let events = answer.text().split_terminator("\n\n").filter_map(|event| event.strip_prefix("data: {"));
    let mut shapes: Vec<_> = events.map(|event| shape(&format!("{{{event}"))).collect();
    shapes.dedup();
    shapes
}

fn usage(answer: &Answer) -> Vec<Value> {
    answer.events().iter().map(|event| event["usage"].clone()).filter(Value::is_object).collect()
}

const OPENING: &str = concat!(
    r#"{"id":"","object":"","created":0,"model":"","choices":[{"index":0,"delta":{"role":"","content":""},"#,
    r#""logprobs":null,"finish_reason":null}]USAGE,"prompt_token_ids":null,"prompt_text":null}"#
);
const TOKEN: &str = concat!(
    r#"{"id":"","object":"","created":0,"model":"","choices":[{"index":0,"delta":{"content":""},"logprobs":null,"#,
    r#""finish_reason":null,"token_ids":null}]USAGE}"#
);
const LAST_TOKEN: &str = concat!(
    r#"{"id":"","object":"","created":0,"model":"","choices":[{"index":0,"delta":{"content":""},"logprobs":null,"#,
    r#""finish_reason":"","stop_reason":null,"token_ids":null}]USAGE}"#
);
const TOTALS: &str = concat!(
    r#"{"id":"","object":"","created":0,"model":"","choices":[],"usage":{"prompt_tokens":0,"total_tokens":0,"#,
    r#""completion_tokens":0,"prompt_tokens_details":{"cached_tokens":0,"created_cache_tokens":0}},"#,
    r#""system_fingerprint":""}"#
);
const COMPLETION: &str = concat!(
    r#"{"id":"","object":"","created":0,"model":"","choices":[{"index":0,"text":"","logprobs":null,"#,
    r#""finish_reason":FINISH,"stop_reason":null,"prompt_token_ids":null,"token_ids":null}]}"#
);
const RUNNING_USAGE: &str =
    r#","usage":{"prompt_tokens":0,"total_tokens":0,"completion_tokens":0,"completion_tokens_details":null}"#;

async fn events_are_lines_of_data_with_one_blank_line(it: Subject) {
    for path in [CHAT, COMPLETIONS] {
        let answer = stream(&it, path, json!({})).await;
        assert_eq!(answer.header("content-type"), "text/event-stream; charset=utf-8");
        assert_eq!((answer.header("content-length"), answer.header("cache-control")), ("", ""));
        assert!(answer.text().ends_with("}\n\ndata: [DONE]\n\n"), "{}", answer.text());
        for event in answer.text().split_terminator("\n\n") {
            assert!(event.starts_with("data: ") && !event.contains(['\n', '\r']), "{event:?}");
        }
    }
}

async fn a_chat_opens_with_its_role(it: Subject) {
    let answer = stream(&it, CHAT, json!({})).await;
    let (shapes, events) = (shapes(&answer), answer.events());
    let plain = |shape: &str| shape.replace("USAGE", "");
    assert_eq!(shapes[..2], [plain(OPENING), plain(TOKEN)]);
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    let heads = ["id", "object", "created", "model"];
    assert!(events.iter().all(|event| heads.iter().all(|field| event[field] == events[0][field])), "one head for all");
    assert_eq!((&events[0]["object"], &events[0]["model"]), (&json!("chat.completion.chunk"), &json!(it.facts.model)));
    assert_eq!(events.last().unwrap()["choices"][0]["finish_reason"], "length");
    assert_eq!(usage(&answer).len(), 0);
    for options in [json!({}), json!({"include_usage": false}), json!({"continuous_usage_stats": true})] {
        assert_eq!(usage(&stream(&it, CHAT, json!({"stream_options": options})).await).len(), 0, "{options}");
    }
}

async fn usage_is_the_last_event_when_asked_for(it: Subject) {
    let answer = stream(&it, CHAT, json!({"stream_options": {"include_usage": true}})).await;
    let plain = |shape: &str| shape.replace("USAGE", "");
    assert_eq!(shapes(&answer), [plain(OPENING), plain(TOKEN), plain(LAST_TOKEN), TOTALS.to_owned()]);
    let [usage] = usage(&answer).try_into().expect("one usage");
    assert_eq!(usage["completion_tokens"], TOKENS);
    assert_eq!(usage["total_tokens"].as_u64(), usage["prompt_tokens"].as_u64().map(|prompt| prompt + TOKENS));
}

async fn usage_rides_on_every_event_when_asked_for_both(it: Subject) {
    let options = json!({"include_usage": true, "continuous_usage_stats": true});
    let answer = stream(&it, CHAT, json!({"stream_options": options})).await;
    let running = |shape: &str| shape.replace("USAGE", RUNNING_USAGE);
    assert_eq!(shapes(&answer), [running(OPENING), running(TOKEN), running(LAST_TOKEN), TOTALS.to_owned()]);
    let counts: Vec<_> = usage(&answer).iter().map(|usage| usage["completion_tokens"].as_u64().unwrap()).collect();
    assert!(counts.is_sorted() && counts[0] == 0, "{counts:?}");
    assert!(counts.ends_with(&[TOKENS, TOKENS]), "{counts:?}");
}

async fn a_completion_s_events_have_their_shape(it: Subject) {
    let answer = stream(&it, COMPLETIONS, json!({"stream_options": {"include_usage": true}})).await;
    let event = |finish| COMPLETION.replace("FINISH", finish);
    let totals = TOTALS.replace(r#","created_cache_tokens":0"#, "");
    assert_eq!(shapes(&answer), [event("null"), event(r#""""#), totals]);
    assert_eq!(answer.events()[0]["object"], "text_completion");
}

async fn two_prompts_interleave_and_share_one_usage(it: Subject) {
    let more = json!({"prompt": ["import os", "import sys"], "stream_options": {"include_usage": true}});
    let answer = stream(&it, COMPLETIONS, more).await;
    let events = answer.events();
    let (totals, tokens) = events.split_last().expect("events");
    let indices: Vec<_> = tokens.iter().map(|event| event["choices"][0]["index"].as_u64().unwrap()).collect();
    let last_of_first = indices.iter().rposition(|index| *index == 0).unwrap();
    let first_of_second = indices.iter().position(|index| *index == 1).unwrap();
    assert!(first_of_second < last_of_first, "one begins before the other ends: {indices:?}");
    let ended = tokens.iter().map(|event| &event["choices"][0]).filter(|choice| !choice["finish_reason"].is_null());
    let mut ended: Vec<_> = ended.map(|choice| choice["index"].as_u64().unwrap()).collect();
    ended.sort_unstable();
    assert_eq!(ended, [0, 1], "each ends once");
    assert_eq!((usage(&answer).len(), &totals["usage"]["completion_tokens"]), (1, &json!(2 * TOKENS)));
}

async fn token_ids_come_with_their_tokens(it: Subject) {
    let ids = |event: &Value| event["choices"][0]["token_ids"].as_array().map_or(0, Vec::len);
    let chat = stream(&it, CHAT, json!({"return_token_ids": true})).await.events();
    assert!(chat[0]["prompt_token_ids"].as_array().is_some_and(|ids| !ids.is_empty()), "{}", chat[0]);
    assert_eq!(chat.iter().map(ids).sum::<usize>(), 20);
    let more = json!({"prompt": [300, 301, 302], "return_token_ids": true});
    let completion = stream(&it, COMPLETIONS, more).await.events();
    let prompts: Vec<_> = completion.iter().map(|event| event["choices"][0]["prompt_token_ids"].clone()).collect();
    assert_eq!(prompts[0], json!([300, 301, 302]));
    assert!(prompts[1..].iter().all(Value::is_null), "{prompts:?}");
    assert_eq!(completion.iter().map(ids).sum::<usize>(), 20);
}

async fn a_stream_and_a_whole_answer_say_the_same(it: Subject) {
    let whole = it.chat(json!({"max_tokens": TOKENS})).await.ok().json();
    let events = stream(&it, CHAT, json!({})).await.events();
    let text: String = events.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(whole["choices"][0]["message"]["content"], text);
}
