//! Whole answers.

use hyper::StatusCode;
use kthena_simulator::Options;
use serde_json::{Value, json};

use crate::support::{Running, quick};

const CHAT: &str = "/v1/chat/completions";
const COMPLETIONS: &str = "/v1/completions";

fn chat(model: &str, prompt: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": prompt}]})
}

async fn said(simulator: &Running, body: &Value) -> String {
    let answer = simulator.post(CHAT, body).await.json();
    answer["choices"][0]["message"]["content"].as_str().expect("text").to_owned()
}

#[tokio::test]
async fn a_chat_is_answered_with_as_many_tokens_as_asked() {
    let simulator = Running::start(quick()).await;
    let mut body = chat("tiny", "hello world");
    body["max_tokens"] = json!(3);
    let answer = simulator.post(CHAT, &body).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let answer = answer.json();
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["model"], "tiny");
    assert_eq!(answer["choices"][0]["message"]["role"], "assistant");
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    let prompt_tokens = answer["usage"]["prompt_tokens"].as_u64().expect("a number");
    assert_eq!(
        answer["usage"],
        json!({
            "prompt_tokens": prompt_tokens,
            "total_tokens": prompt_tokens + 3,
            "completion_tokens": 3,
            "prompt_tokens_details": null,
            "completion_tokens_details": null,
        })
    );
}

#[tokio::test]
async fn the_newer_token_limit_wins_in_chats_and_sixteen_is_the_default() {
    let simulator = Running::start(quick()).await;
    let mut body = chat("tiny", "hi");
    let tokens = |answer: Value| answer["usage"]["completion_tokens"].as_u64();
    assert_eq!(tokens(simulator.post(CHAT, &body).await.json()), Some(16));
    body["max_tokens"] = json!(3);
    body["max_completion_tokens"] = json!(5);
    assert_eq!(tokens(simulator.post(CHAT, &body).await.json()), Some(5));
}

#[tokio::test]
async fn an_answer_is_cut_where_the_context_ends() {
    let simulator = Running::start(Options { max_model_len: 20, ..quick() }).await;
    let mut body = chat("tiny", "hi");
    body["max_tokens"] = json!(20);
    let usage = simulator.post(CHAT, &body).await.json()["usage"].clone();
    assert_eq!(usage["total_tokens"], 20);
    assert!(usage["completion_tokens"].as_u64() < Some(20), "{usage}");
}

#[tokio::test]
async fn two_prompts_give_two_choices_and_summed_usage() {
    let simulator = Running::start(quick()).await;
    let body = json!({"model": "tiny", "prompt": ["one", "two words"], "max_tokens": 2, "n": 2});
    let answer = simulator.post(COMPLETIONS, &body).await.json();
    assert_eq!(answer["object"], "text_completion");
    let choices = answer["choices"].as_array().expect("a list");
    let indices: Vec<_> = choices.iter().map(|choice| choice["index"].as_u64()).collect();
    assert_eq!(indices, [Some(0), Some(1), Some(2), Some(3)]);
    assert_eq!(answer["usage"]["prompt_tokens"], 1 + 3);
    assert_eq!(answer["usage"]["completion_tokens"], 2 * 4);
    assert_ne!(choices[0]["text"], choices[2]["text"]);
}

#[tokio::test]
async fn an_alias_answers_as_the_first_name_and_an_adapter_as_itself() {
    let simulator = Running::start(quick()).await;
    for (asked, answered) in [("tiny", "tiny"), ("tiny-alias", "tiny"), ("lora-a", "lora-a")] {
        let answer = simulator.post(CHAT, &chat(asked, "hi")).await.json();
        assert_eq!(answer["model"], answered);
    }
    let no_model = json!({"messages": [{"role": "user", "content": "x"}]});
    assert_eq!(simulator.post(CHAT, &no_model).await.json()["model"], "tiny");
}

#[tokio::test]
async fn the_same_seed_model_and_prompt_say_the_same_on_any_simulator() {
    let (one, two) = (Running::start(quick()).await, Running::start(quick()).await);
    let seeded = Running::start(Options { seed: 1, ..quick() }).await;
    let first = said(&one, &chat("tiny", "hi")).await;
    assert_eq!(said(&two, &chat("tiny-alias", "hi")).await, first);
    assert_ne!(said(&two, &chat("tiny", "hello")).await, first);
    assert_ne!(said(&two, &chat("lora-a", "hi")).await, first);
    assert_ne!(said(&seeded, &chat("tiny", "hi")).await, first);
}

#[tokio::test]
async fn ids_differ_from_answer_to_answer_unless_the_client_gives_one() {
    let simulator = Running::start(quick()).await;
    let body = chat("tiny", "hi");
    let id = |answer: Value| answer["id"].as_str().expect("text").to_owned();
    let first = id(simulator.post(CHAT, &body).await.json());
    assert!(first.starts_with("chatcmpl-"), "{first}");
    assert_ne!(id(simulator.post(CHAT, &body).await.json()), first);
    let given = simulator.post_with(CHAT, &[("x-request-id", "my-req-42")], &body).await;
    assert_eq!(id(given.json()), "chatcmpl-my-req-42");
}
