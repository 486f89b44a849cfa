//! Whole answers.

use super::bench::UNSERVED;
use super::subject::COMPLETIONS;
use super::{Case, Subject, cases, shape};
use crate::Answer;
use serde_json::{Value, json};

pub(super) const EVERYWHERE: &[Case] = cases![
    a_chat_has_every_field,
    a_completion_has_every_field,
    two_prompts_have_two_choices_and_one_usage,
    as_many_choices_as_asked_for,
    as_many_tokens_as_asked_for,
    a_stop_word_ends_the_answer_before_it,
    token_ids_come_only_when_asked_for,
    an_alias_answers_with_the_first_name,
    the_request_s_id_is_the_answer_s,
    unknown_fields_and_roles_are_taken,
];

pub(super) const DIRECT: &[Case] = cases![no_model_is_the_first_model];

const DETAILS: &str = r#""completion_tokens_details":null"#;

/// The shape of a whole chat with one choice.
const CHAT: &str = concat!(
    r#"{"id":"","object":"","created":0,"model":"","choices":[{"index":0,"message":{"role":"","content":"","#,
    r#""refusal":null,"annotations":null,"audio":null,"function_call":null,"reasoning":null},"logprobs":null,"finish_reason":"","#,
    r#""stop_reason":null,"token_ids":null,"routed_experts":null}],"service_tier":null,"system_fingerprint":"","#,
    r#""usage":{"prompt_tokens":0,"total_tokens":0,"completion_tokens":0,"prompt_tokens_details":{"cached_tokens":0,"#,
    r#""created_cache_tokens":0,"multimodal_tokens":null},"completion_tokens_details":null},"prompt_logprobs":null,"#,
    r#""prompt_token_ids":null,"prompt_text":null,"kv_transfer_params":null,"ec_transfer_params":null,"metrics":null}"#
);

/// The shape of a whole completion, its choices to be put in.
const COMPLETION: &str = concat!(
    r#"{"id":"","object":"","created":0,"model":"","choices":[CHOICES],"service_tier":null,"system_fingerprint":"","#,
    r#""usage":{"prompt_tokens":0,"total_tokens":0,"completion_tokens":0,"prompt_tokens_details":{"cached_tokens":0,"#,
    r#""created_cache_tokens":null,"multimodal_tokens":null},"completion_tokens_details":null},"#,
    r#""kv_transfer_params":null,"ec_transfer_params":null,"metrics":null}"#
);
const CHOICE: &str = concat!(
    r#"{"index":0,"text":"","logprobs":null,"finish_reason":"","stop_reason":null,"token_ids":null,"#,
    r#""prompt_logprobs":null,"prompt_token_ids":null,"routed_experts":null}"#
);

fn counts(answer: &Answer) -> [u64; 3] {
    let usage = &answer.json()["usage"];
    ["prompt_tokens", "completion_tokens", "total_tokens"].map(|name| usage[name].as_u64().expect("a count"))
}

async fn a_chat_has_every_field(it: Subject) {
    let answer = it.chat(json!({})).await.ok();
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("content-length"), answer.body.len().to_string());
    assert_eq!(shape(answer.text()), CHAT);
    let json = answer.json();
    assert!(json["id"].as_str().unwrap().starts_with("chatcmpl-"), "{json}");
    assert!(json["system_fingerprint"].as_str().unwrap().starts_with("vllm-0.32.0-"), "{json}");
    assert_eq!((&json["object"], &json["model"]), (&json!("chat.completion"), &json!(it.facts.model)));
    assert_eq!(json["choices"][0]["message"]["role"], "assistant");
}

async fn a_completion_has_every_field(it: Subject) {
    let answer = it.complete(json!({})).await.ok();
    assert_eq!(shape(answer.text()), COMPLETION.replace("CHOICES", CHOICE));
    assert!(answer.text().contains(DETAILS));
    let json = answer.json();
    assert!(json["id"].as_str().unwrap().starts_with("cmpl-"), "{json}");
    assert_eq!((&json["object"], &json["model"]), (&json!("text_completion"), &json!(it.facts.model)));
}

async fn two_prompts_have_two_choices_and_one_usage(it: Subject) {
    let prompts = ["import os", "def main():\n    return 1"];
    let answer = it.complete(json!({"prompt": prompts})).await.ok();
    assert_eq!(shape(answer.text()), COMPLETION.replace("CHOICES", &[CHOICE, CHOICE].join(",")));
    let indices: Vec<_> = answer.json()["choices"].as_array().unwrap().iter().map(|c| c["index"].clone()).collect();
    assert_eq!(indices, [0, 1]);
    let mut sum = [0; 3];
    for prompt in prompts {
        let alone = counts(&it.complete(json!({"prompt": prompt})).await.ok());
        sum = std::array::from_fn(|i| sum[i] + alone[i]);
    }
    assert_eq!(counts(&answer), sum);
}

async fn as_many_choices_as_asked_for(it: Subject) {
    let answer = it.chat(json!({"n": 2, "temperature": 1})).await.ok();
    let choices = answer.json()["choices"].as_array().unwrap().len();
    assert_eq!((choices, counts(&answer)[1]), (2, 6));
}

async fn as_many_tokens_as_asked_for(it: Subject) {
    for tokens in [1, 40] {
        for answer in [it.chat(json!({"max_tokens": tokens})).await, it.complete(json!({"max_tokens": tokens})).await] {
            let answer = answer.ok();
            let [prompt, completion, total] = counts(&answer);
            assert_eq!((completion, total), (tokens, prompt + tokens));
            assert_eq!(answer.json()["choices"][0]["finish_reason"], "length");
        }
    }
    let newer = it.chat(json!({"max_completion_tokens": 2, "max_tokens": 5})).await.ok();
    assert_eq!(counts(&newer)[1], 2, "the newer name counts");
    let usual = it.complete(json!({"max_tokens": null})).await.ok();
    assert_eq!(counts(&usual)[1], 16, "what a completion has by default");
}

async fn a_stop_word_ends_the_answer_before_it(it: Subject) {
    let whole = it.complete(json!({"max_tokens": 30})).await.ok().json();
    let text = whole["choices"][0]["text"].as_str().unwrap();
    let (at, word) = text.char_indices().filter(|(_, c)| c.is_ascii_alphabetic()).nth(6).expect("some letters");
    let first = text.find(word).unwrap_or(at);
    let stopped = it.complete(json!({"max_tokens": 30, "stop": [word.to_string()]})).await.ok().json();
    let choice = &stopped["choices"][0];
    assert_eq!(choice["text"], text[..first]);
    assert_eq!((&choice["finish_reason"], &choice["stop_reason"]), (&json!("stop"), &json!(word.to_string())));
}

async fn token_ids_come_only_when_asked_for(it: Subject) {
    let asked = it.complete(json!({"prompt": [300, 301, 302], "return_token_ids": true})).await.ok().json();
    assert_eq!(asked["choices"][0]["prompt_token_ids"], json!([300, 301, 302]));
    let ids = asked["choices"][0]["token_ids"].as_array().expect("ids");
    assert!(ids.len() == 3 && ids.iter().all(Value::is_u64), "{ids:?}");
    let chat = it.chat(json!({"return_token_ids": true})).await.ok().json();
    let prompt = chat["prompt_token_ids"].as_array().expect("ids").len();
    assert_eq!(json!(prompt), chat["usage"]["prompt_tokens"]);
    assert_eq!(chat["choices"][0]["token_ids"].as_array().expect("ids").len(), 3);
}

async fn an_alias_answers_with_the_first_name(it: Subject) {
    assert_eq!(it.chat(json!({"model": it.facts.alias})).await.ok().json()["model"], it.facts.model);
    assert_eq!(it.complete(json!({"model": it.facts.alias})).await.ok().json()["model"], it.facts.model);
}

async fn the_request_s_id_is_the_answer_s(it: Subject) {
    for (path, body, id) in [
        (super::subject::CHAT, it.chat_body(json!({})), "chatcmpl-my-req-42"),
        (COMPLETIONS, it.completion_body(json!({})), "cmpl-my-req-42"),
    ] {
        let answer = it.front.post(path, &[("x-request-id", "my-req-42")], body.to_string()).await.ok();
        assert_eq!(answer.json()["id"], id);
    }
}

async fn unknown_fields_and_roles_are_taken(it: Subject) {
    it.chat(json!({"no_such_field": {"a": [1]}, "messages": [{"role": "poet", "content": "hi"}]})).await.ok();
    assert_ne!(it.chat(json!({"model": UNSERVED})).await.status, 200, "the model does count");
}

async fn no_model_is_the_first_model(it: Subject) {
    assert_eq!(it.chat(json!({"model": null})).await.ok().json()["model"], it.facts.model);
}
