//! `/tokenize` and `/detokenize`.

use hyper::StatusCode;
use serde_json::json;

use crate::support::{Running, quick};

#[tokio::test]
async fn a_text_comes_back_from_its_tokens() {
    let simulator = Running::start(quick()).await;
    let text = "import os, naïve 東京\n";
    let told = simulator.post("/tokenize", &json!({"model": "tiny", "prompt": text})).await.json();
    assert_eq!(told["count"].as_u64(), told["tokens"].as_array().map(|tokens| tokens.len() as u64));
    assert_eq!((&told["max_model_len"], &told["token_strs"]), (&json!(131_072), &json!(null)));
    let back = simulator.post("/detokenize", &json!({"tokens": told["tokens"]})).await;
    assert_eq!(back.json(), json!({"prompt": text}));
}

#[tokio::test]
async fn a_chat_has_the_tokens_that_its_answer_counts_and_names() {
    let simulator = Running::start(quick()).await;
    let chat = json!({"messages": [{"role": "user", "content": "import os"}], "return_token_strs": true});
    let told = simulator.post("/tokenize", &chat).await.json();
    let strings = told["token_strs"].as_array().expect("a list");
    assert!(strings.contains(&json!("Ġos")), "{strings:?}");

    let mut asked = chat;
    asked["return_token_ids"] = json!(true);
    asked["max_tokens"] = json!(3);
    let answer = simulator.post("/v1/chat/completions", &asked).await.json();
    assert_eq!(answer["usage"]["prompt_tokens"], told["count"]);
    assert_eq!(answer["prompt_token_ids"], told["tokens"]);
    let said = json!({"tokens": answer["choices"][0]["token_ids"]});
    let text = simulator.post("/detokenize", &said).await.json();
    assert_eq!(text["prompt"], answer["choices"][0]["message"]["content"]);
}

#[tokio::test]
async fn streams_tell_the_same_ids() {
    let simulator = Running::start(quick()).await;
    let mut body = json!({"prompt": ["one", "two"], "max_tokens": 2, "return_token_ids": true});
    let whole = simulator.post("/v1/completions", &body).await.json();
    body["stream"] = json!(true);
    let events = simulator.post("/v1/completions", &body).await.events();
    for index in 0..2 {
        let choices = events.iter().map(|event| &event["choices"][0]).filter(|choice| choice["index"] == index);
        let choices: Vec<_> = choices.collect();
        let ids: Vec<_> = choices.iter().map(|choice| choice["token_ids"][0].clone()).collect();
        assert_eq!(json!(ids), whole["choices"][index]["token_ids"]);
        assert_eq!(choices[0]["prompt_token_ids"], whole["choices"][index]["prompt_token_ids"]);
        assert_eq!(choices[1]["prompt_token_ids"], json!(null));
    }
}

#[tokio::test]
async fn what_cannot_be_tokenized_is_a_400_of_the_framework() {
    let simulator = Running::start(quick()).await;
    let neither = simulator.post("/tokenize", &json!({"model": "tiny"})).await;
    assert_eq!(neither.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        neither.text(),
        r#"{"error":{"message":"2 validation errors:\n  {'type': 'missing', 'loc': 'body.prompt', 'msg': 'Field required', 'input': '<dict of 1 items>'}\n  {'type': 'missing', 'loc': 'body.messages', 'msg': 'Field required', 'input': '<dict of 1 items>'}","type":"Bad Request","param":"body.prompt","code":400}}"#
    );
    let letters = simulator.post("/detokenize", &json!({"tokens": ["a"]})).await;
    assert_eq!(letters.json()["error"]["param"], "body.tokens.0");
    let unknown = simulator.post("/tokenize", &json!({"model": "nope", "prompt": "x"})).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}
