//! SGLang's face.

use hyper::StatusCode;
use kthena_simulator::{Face, Manners, Options};
use serde_json::{Value, json};

use crate::support::{Running, quick};

const CHAT: &str = "/v1/chat/completions";

async fn sglang() -> Running {
    let manners = Manners { face: Face::Sglang, ..Manners::default() };
    Running::start(Options { manners, max_model_len: 64, ..quick() }).await
}

fn chat(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 2})
}

#[tokio::test]
async fn a_chat_stream_ends_with_an_event_for_its_reason_and_one_for_its_usage() {
    let simulator = sglang().await;
    let mut body = chat("tiny");
    body["stream"] = json!(true);
    body["stream_options"] = json!({"include_usage": true});
    let events = simulator.post(CHAT, &body).await.events();
    let reasons: Vec<_> = events.iter().map(|event| event["choices"][0]["finish_reason"].clone()).collect();
    assert_eq!(reasons, [Value::Null, Value::Null, Value::Null, json!("length"), Value::Null]);
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(events[4]["usage"]["completion_tokens"], 2);
    assert_eq!(events[4]["usage"]["reasoning_tokens"], 0);
    assert_eq!(events[0]["id"].as_str().map(str::len), Some(32));
}

#[tokio::test]
async fn it_answers_under_the_name_that_was_asked_for() {
    let simulator = sglang().await;
    for name in ["tiny", "whatever", "tiny:lora-a"] {
        assert_eq!(simulator.post(CHAT, &chat(name)).await.json()["model"], name);
    }
    let said =
        async |name: &str| simulator.post(CHAT, &chat(name)).await.json()["choices"][0]["message"]["content"].clone();
    assert_eq!(said("tiny").await, said("lora-a").await, "only base:adapter names an adapter");
    assert_ne!(said("tiny").await, said("tiny:lora-a").await);
    let unloaded = simulator.post(CHAT, &chat("tiny:nope")).await;
    assert_eq!(unloaded.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        unloaded.json(),
        json!({
            "object": "error",
            "message": "The following requested LoRA adapters are not loaded: nope\nLoaded adapters: odict_keys(['lora-a']).",
            "type": "BadRequestError",
            "param": null,
            "code": 400,
        })
    );
}

#[tokio::test]
async fn its_errors_have_no_envelope() {
    let simulator = sglang().await;
    for (body, message) in [
        (json!({"messages": []}), "Messages cannot be empty."),
        (json!({"messages": [{"role": "user", "content": "hi"}], "top_p": 2}), "top_p must be in (0, 1], got 2.0."),
        (
            json!({"messages": [{"role": "user", "content": "x".repeat(400)}]}),
            "The input (108 tokens) is longer than the model's context length (64 tokens).",
        ),
    ] {
        let answer = simulator.post(CHAT, &body).await;
        let expected =
            json!({"object": "error", "message": message, "type": "BadRequestError", "param": null, "code": 400});
        assert_eq!((answer.status, answer.json()), (StatusCode::BAD_REQUEST, expected));
    }
}

#[tokio::test]
async fn adapters_come_and_go_by_its_own_calls() {
    let simulator = sglang().await;
    let loading = json!({"lora_name": "lora-b", "lora_path": "/b"});
    let loaded = simulator.post("/load_lora_adapter", &loading).await;
    let expected =
        json!({"success": true, "error_message": null, "loaded_adapters": {"lora-a": "lora-a", "lora-b": "/b"}});
    assert_eq!((loaded.status, loaded.json()), (StatusCode::OK, expected));
    let again = simulator.post("/load_lora_adapter", &loading).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
    assert_eq!(again.json()["error_message"], "Failed to load LoRA adapter lora-b because it is already loaded");
    let listed = simulator.get("/v1/models").await.json();
    let ids: Vec<_> = listed["data"].as_array().expect("a list").iter().map(|card| card["id"].clone()).collect();
    assert_eq!(ids, ["tiny", "lora-a", "lora-b"]);
    assert_eq!(listed["data"][2]["parent"], "tiny");
    let unloading = json!({"lora_name": "lora-b"});
    assert_eq!(simulator.post("/unload_lora_adapter", &unloading).await.status, StatusCode::OK);
    let unknown = simulator.post("/unload_lora_adapter", &unloading).await;
    assert_eq!(
        unknown.json()["error_message"],
        "LoRA with name lora-b does not exist. Loaded LoRAs: odict_keys(['lora-a'])"
    );
    assert_eq!(simulator.post("/v1/load_lora_adapter", &loading).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn generate_repeats_the_text_so_far_in_each_event() {
    let simulator = sglang().await;
    let mut body = json!({"text": "one two", "sampling_params": {"max_new_tokens": 3}});
    let whole = simulator.post("/generate", &body).await.json();
    assert_eq!(whole["meta_info"]["completion_tokens"], 3);
    assert_eq!(whole["meta_info"]["finish_reason"], json!({"type": "length", "length": 3}));
    body["stream"] = json!(true);
    let events = simulator.post("/generate", &body).await.events();
    assert_eq!(events.len(), 3);
    assert_eq!(events[0]["meta_info"]["finish_reason"], Value::Null);
    assert_eq!((&events[2]["text"], &events[2]["output_ids"]), (&whole["text"], &whole["output_ids"]));
    assert!(events[1]["text"].as_str() < events[2]["text"].as_str());
    let batch = simulator
        .post("/generate", &json!({"input_ids": [[1, 2], [3]], "sampling_params": {"max_new_tokens": 1}}))
        .await
        .json();
    assert_eq!(batch.as_array().map(Vec::len), Some(2));
    let neither = simulator.post("/generate", &json!({})).await;
    assert_eq!(neither.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn it_tells_about_itself() {
    let simulator = sglang().await;
    for path in ["/model_info", "/get_model_info"] {
        assert_eq!(simulator.get(path).await.json()["served_model_name"], "tiny");
    }
    for path in ["/server_info", "/get_server_info"] {
        assert_eq!(simulator.get(path).await.json()["version"], "0.5.23");
    }
    for path in ["/health", "/health_generate"] {
        let health = simulator.get(path).await;
        assert_eq!((health.status, health.text()), (StatusCode::OK, ""));
    }
    let tokens = simulator.post("/tokenize", &json!({"prompt": "import os"})).await.json();
    let text = simulator.post("/detokenize", &json!({"tokens": tokens["tokens"]})).await.json();
    assert_eq!(text, json!({"text": "import os"}));
    let unknown = simulator.get("/v1/models/nope").await;
    assert_eq!((unknown.status, &unknown.json()["error"]["code"]), (StatusCode::NOT_FOUND, &json!("model_not_found")));
    assert!(simulator.get("/flush_cache").await.text().starts_with("Cache flushed.\n"));
}
