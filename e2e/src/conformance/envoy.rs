//! What Envoy and our filter leave alone, and the little that they change.

use super::adapters::{load, unload};
use super::subject::{CHAT, COMPLETIONS, with};
use super::{Case, Subject, cases};
use crate::Answer;
use serde_json::{Value, json};
use std::time::Duration;

pub(super) const BEHIND_ENVOY: &[Case] = cases![
    whole_answers_and_refusals_pass_byte_for_byte,
    a_stream_that_asks_for_usage_passes_byte_for_byte,
    usage_that_nobody_asked_for_is_withheld,
    adapters_are_reached_by_their_route,
    connections_that_the_engine_closes_when_they_idle_fail_no_request,
];

/// Pauses about the five seconds after which uvicorn closes a connection that idles.
const PAUSES: [Duration; 3] = [Duration::from_millis(4500), Duration::from_secs(5), Duration::from_millis(5500)];

/// Requests after each pause: more than run at a time, so that the pool has several connections.
const TOGETHER: usize = 7;

/// The same request both ways; bodies without the second in which they were written.
async fn both(it: &Subject, path: &str, body: Value) -> [(u16, String); 2] {
    let read = |answer: Answer| {
        let mut text = answer.text().to_owned();
        while let Some(at) = text.find(r#""created":"#) {
            let digits = text[at + 10..].find(|c: char| !c.is_ascii_digit()).expect("more after it");
            text.replace_range(at..at + 10 + digits, "created");
        }
        (answer.status, text)
    };
    let headers = [("x-request-id", "the-same")];
    let direct = it.engine.post(path, &headers, body.to_string()).await;
    let behind = it.front.post(path, &headers, body.to_string()).await;
    [read(direct), read(behind)]
}

async fn whole_answers_and_refusals_pass_byte_for_byte(it: Subject) {
    for (path, body) in [
        (CHAT, it.chat_body(json!({"max_tokens": 30}))),
        (COMPLETIONS, it.completion_body(json!({"prompt": ["import os", "import sys"]}))),
        (CHAT, it.chat_body(json!({"model": it.facts.alias}))),
        (CHAT, it.chat_body(json!({"top_p": 2}))),
        (CHAT, it.chat_body(json!({"top_p": 2, "stream": true}))),
        (CHAT, it.chat_body(json!({"model": super::bench::UNSERVED}))),
    ] {
        let [direct, behind] = both(&it, path, body).await;
        assert_eq!(behind, direct);
    }
}

/// Which tokens share an event is a matter of time, so each event has one here.
async fn a_stream_that_asks_for_usage_passes_byte_for_byte(it: Subject) {
    for options in [json!({"include_usage": true}), json!({"include_usage": true, "continuous_usage_stats": true})] {
        let more = json!({"max_tokens": 1, "stream": true, "stream_options": options});
        for (path, body) in [(CHAT, it.chat_body(more.clone())), (COMPLETIONS, it.completion_body(more))] {
            let [direct, behind] = both(&it, path, body).await;
            assert_eq!(behind, direct);
        }
    }
}

/// The filter asks for usage, so that tokens are counted, and takes the event with it out again. vLLM puts its
/// fingerprint on the last event, whichever that is: it goes with it.
async fn usage_that_nobody_asked_for_is_withheld(it: Subject) {
    let body = with(it.chat_body(json!({"max_tokens": 1})), json!({"stream": true}));
    let [(status, direct), (_, behind)] = both(&it, CHAT, body).await;
    assert_eq!(status, 200);
    let (before, after) = direct.split_once(r#","system_fingerprint":""#).expect("a fingerprint");
    let (_, after) = after.split_once('"').expect("its end");
    assert_eq!(behind, format!("{before}{after}"));
}

async fn adapters_are_reached_by_their_route(it: Subject) {
    for adapter in &it.facts.adapters {
        load(&it.engine, adapter).await.ok();
    }
    for (name, _) in &it.facts.adapters {
        let [direct, behind] = both(&it, CHAT, it.chat_body(json!({"model": name}))).await;
        assert_eq!(behind, direct);
        assert_eq!(it.chat(json!({"model": name})).await.ok().json()["model"], *name);
    }
    for (name, _) in &it.facts.adapters {
        unload(&it.engine, name).await.ok();
        let gone = it.chat(json!({"model": name})).await;
        assert_eq!((gone.status, gone.json()["error"]["type"].as_str()), (404, Some("NotFoundError")));
    }
}

async fn connections_that_the_engine_closes_when_they_idle_fail_no_request(it: Subject) {
    it.idle().await;
    let chats = async || futures::future::join_all((0..TOGETHER).map(|_| it.chat(json!({})))).await;
    chats().await.into_iter().for_each(|answer| drop(answer.ok()));
    for pause in PAUSES {
        tokio::time::sleep(pause).await;
        for answer in chats().await {
            assert_eq!(answer.status, 200, "after {pause:?}: {}", answer.text());
        }
    }
}
