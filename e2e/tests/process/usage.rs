//! Usage that the client did not ask for is read on the way and withheld; what it asked for arrives.

use crate::bodies::{BODIES, MODEL};
use kthena_e2e::streamed;
use serde_json::{Value, json};

async fn events(options: Value) -> Vec<Value> {
    let mut body = streamed(MODEL, 3);
    body["stream_options"] = options;
    BODIES.kthena.client().post("/v1/chat/completions", &[], body.to_string()).await.ok().events()
}

/// Events that carry usage, and of these those that carry nothing else.
fn usage(events: &[Value]) -> (usize, usize) {
    let with: Vec<_> = events.iter().filter(|event| event["usage"].is_object()).collect();
    let alone = with.iter().filter(|event| event["choices"].as_array().is_some_and(Vec::is_empty)).count();
    (with.len(), alone)
}

#[tokio::test]
async fn a_client_that_did_not_ask_sees_no_usage() {
    for options in [Value::Null, json!({}), json!({"include_usage": false})] {
        let events = events(options.clone()).await;
        assert_eq!(usage(&events), (0, 0), "{options}");
        assert_eq!(events.last().unwrap()["choices"][0]["finish_reason"], "length", "the last word is still there");
    }
}

#[tokio::test]
async fn a_client_that_asked_gets_usage_as_the_last_event() {
    let events = events(json!({"include_usage": true})).await;
    assert_eq!(usage(&events), (1, 1));
    assert_eq!(events.last().unwrap()["usage"]["completion_tokens"], 3);
}

#[tokio::test]
async fn usage_that_rides_on_every_event_stays_where_the_client_wants_it() {
    let events = events(json!({"include_usage": true, "continuous_usage_stats": true})).await;
    assert_eq!(usage(&events), (events.len(), 1));
}

#[tokio::test]
async fn a_whole_answer_keeps_its_usage_and_its_length() {
    let answer = BODIES.kthena.client().chat(MODEL).await.ok();
    assert_eq!(answer.json()["usage"]["completion_tokens"], 4);
    assert_eq!(answer.header("content-length"), answer.body.len().to_string());
}
