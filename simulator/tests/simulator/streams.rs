//! Streamed answers.

use serde_json::{Value, json};

use crate::support::{Running, quick};

const CHAT: &str = "/v1/chat/completions";
const COMPLETIONS: &str = "/v1/completions";

async fn chat(simulator: &Running, options: Option<Value>) -> Vec<Value> {
    let mut body = json!({
        "model": "tiny",
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 2,
        "stream": true,
    });
    if let Some(options) = options {
        body["stream_options"] = options;
    }
    simulator.post(CHAT, &body).await.events()
}

fn with<'a>(events: &'a [Value], key: &str) -> Vec<Option<&'a Value>> {
    events.iter().map(|event| event.get(key)).collect()
}

#[tokio::test]
async fn a_chat_stream_says_its_role_then_its_tokens_then_why_it_ended() {
    let simulator = Running::start(quick()).await;
    let events = chat(&simulator, None).await;
    assert_eq!(events.len(), 3);
    assert_eq!(events[0]["choices"][0]["delta"], json!({"role": "assistant", "content": ""}));
    assert_eq!(events[1]["choices"][0]["finish_reason"], Value::Null);
    assert_eq!(events[2]["choices"][0]["finish_reason"], "length");
    assert!(events.iter().all(|event| event["id"] == events[0]["id"]));
    assert_eq!(with(&events, "usage"), [None, None, None]);
}

#[tokio::test]
async fn the_streamed_text_is_that_of_the_whole_answer() {
    let simulator = Running::start(quick()).await;
    let body = json!({"messages": [{"role": "user", "content": "hi"}], "max_tokens": 40});
    let whole = simulator.post(CHAT, &body).await.json();
    let mut streamed = body;
    streamed["stream"] = json!(true);
    let events = simulator.post(CHAT, &streamed).await.events();
    let text: String = events.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(whole["choices"][0]["message"]["content"], text);
}

#[tokio::test]
async fn the_fingerprint_rides_on_the_last_chunk_whichever_that_is() {
    let simulator = Running::start(quick()).await;
    let fingerprints = |events: Vec<Value>| -> Vec<bool> {
        events.iter().map(|event| event.get("system_fingerprint").is_some()).collect()
    };
    assert_eq!(fingerprints(chat(&simulator, None).await), [false, false, true]);
    let with_usage = chat(&simulator, Some(json!({"include_usage": true}))).await;
    assert_eq!(fingerprints(with_usage), [false, false, false, true]);
}

#[tokio::test]
async fn usage_comes_once_at_the_end_when_asked_for() {
    let simulator = Running::start(quick()).await;
    let events = chat(&simulator, Some(json!({"include_usage": true}))).await;
    assert_eq!(events.len(), 4);
    assert_eq!(with(&events[..3], "usage"), [None, None, None]);
    assert_eq!(events[3]["choices"], json!([]));
    let usage = &events[3]["usage"];
    assert_eq!(usage["completion_tokens"], 2);
    let total = usage["prompt_tokens"].as_u64().map(|prompt| prompt + 2);
    assert_eq!(usage["total_tokens"].as_u64(), total);
}

#[tokio::test]
async fn continuous_usage_counts_up_in_every_chunk() {
    let simulator = Running::start(quick()).await;
    let options = json!({"include_usage": true, "continuous_usage_stats": true});
    let events = chat(&simulator, Some(options)).await;
    let counts: Vec<_> = events.iter().map(|event| event["usage"]["completion_tokens"].as_u64()).collect();
    assert_eq!(counts, [Some(0), Some(1), Some(2), Some(2)]);
}

#[tokio::test]
async fn continuous_usage_alone_gives_no_usage() {
    let simulator = Running::start(quick()).await;
    let events = chat(&simulator, Some(json!({"continuous_usage_stats": true}))).await;
    assert_eq!(with(&events, "usage"), [None, None, None]);
}

#[tokio::test]
async fn two_streamed_prompts_interleave_and_share_one_usage_chunk() {
    let simulator = Running::start(quick()).await;
    let body = json!({
        "prompt": ["one", "two words"],
        "max_tokens": 2,
        "stream": true,
        "stream_options": {"include_usage": true, "continuous_usage_stats": true},
    });
    let events = simulator.post(COMPLETIONS, &body).await.events();
    let (totals, tokens) = events.split_last().expect("events");
    let seen: Vec<_> = tokens
        .iter()
        .map(|event| (event["choices"][0]["index"].as_u64(), event["usage"]["prompt_tokens"].as_u64()))
        .collect();
    let (one, two) = ((Some(0), Some(1)), (Some(1), Some(3)));
    assert_eq!(seen, [one, two, one, two]);
    let usage = json!({"prompt_tokens": 4, "total_tokens": 8, "completion_tokens": 4});
    assert_eq!(totals["usage"], usage);
}

#[tokio::test]
async fn a_stop_ends_a_choice_before_its_text_whole_and_streamed() {
    let simulator = Running::start(quick()).await;
    let mut body = json!({"messages": [{"role": "user", "content": "hi"}], "max_tokens": 40});
    let whole = simulator.post(CHAT, &body).await.json();
    let text = whole["choices"][0]["message"]["content"].as_str().expect("text").to_owned();
    // Two words from the middle, so that some of it is held back.
    let words: Vec<&str> = text.split(' ').collect();
    let stop = format!(" {} {}", words[8], words[9]);
    let before = text.split(&stop).next().expect("a start");
    body["stop"] = json!([stop, "never said"]);
    let stopped = simulator.post(CHAT, &body).await.json();
    let choice = &stopped["choices"][0];
    assert_eq!((&choice["finish_reason"], &choice["stop_reason"]), (&json!("stop"), &json!(stop)));
    assert_eq!(choice["message"]["content"], before);

    body["stream"] = json!(true);
    body["stream_options"] = json!({"include_usage": true});
    let events = simulator.post(CHAT, &body).await.events();
    let (totals, events) = events.split_last().expect("usage");
    let told: String = events.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(told, before);
    assert_eq!(events.last().map(|event| &event["choices"][0]["stop_reason"]), Some(&json!(stop)));
    assert_eq!(totals["usage"]["completion_tokens"], stopped["usage"]["completion_tokens"]);
    assert!(stopped["usage"]["completion_tokens"].as_u64() < Some(40));
    simulator.reaches((0, 1)).await;
}

#[tokio::test]
async fn every_choice_of_a_chat_opens_with_its_role() {
    let simulator = Running::start(quick()).await;
    let body = json!({"messages": [{"role": "user", "content": "x"}], "max_tokens": 1, "n": 2, "stream": true});
    let events = simulator.post(CHAT, &body).await.events();
    let seen: Vec<_> = events
        .iter()
        .map(|event| &event["choices"][0])
        .map(|choice| (choice["index"].as_u64(), choice["delta"].get("role").is_some()))
        .collect();
    assert_eq!(seen, [(Some(0), true), (Some(1), true), (Some(0), false), (Some(1), false)]);
}
