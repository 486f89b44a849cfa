//! What the simulator tells about itself and about what it was sent.

use hyper::body::Bytes;
use hyper::{Method, StatusCode};
use kthena_simulator::Options;
use serde_json::json;

use crate::support::{Running, quick};

const CHAT: &str = "/v1/chat/completions";

#[tokio::test]
async fn every_answer_is_signed() {
    let named = Running::start(Options { name: Some("pod-1".into()), ..quick() }).await;
    for path in ["/health", "/v1/models", "/nope", "/simulator/state"] {
        assert_eq!(named.get(path).await.header("x-simulator"), Some("pod-1"), "{path}");
    }
    let nameless = Running::start(quick()).await;
    let address = nameless.address.to_string();
    assert_eq!(nameless.get("/health").await.header("x-simulator"), Some(address.as_str()));
}

#[tokio::test]
async fn an_answer_says_which_bytes_came_only_when_asked() {
    let simulator = Running::start(quick()).await;
    let body = Bytes::from_static(br#"{"messages":[]}"#);
    let json_type = ("content-type", "application/json");
    let asked = simulator.send(Method::POST, CHAT, &[json_type, ("x-simulator-echo", "1")], body.clone()).await;
    assert_eq!(asked.header("x-simulator-received-bytes"), Some("15"));
    assert_eq!(
        asked.header("x-simulator-received-sha256"),
        Some("5e4ce7b36ba37b78a5d5f9fd08e6b7b54ba6879d651aa46ec9e1d6fa24ebe30a")
    );
    let silent = simulator.send(Method::POST, CHAT, &[json_type], body).await;
    assert_eq!(silent.header("x-simulator-received-bytes"), None);
}

#[tokio::test]
async fn requests_are_listed_as_they_came_until_cleared() {
    let simulator = Running::start(quick()).await;
    let body = json!({"messages": [{"role": "user", "content": "x"}], "x": "é"});
    simulator.post_with("/v1/chat/completions?a=b", &[("x-mine", "yes")], &body).await;
    simulator.get("/health").await;

    let listed = simulator.get("/simulator/requests").await.json();
    let listed = listed.as_array().expect("a list");
    assert_eq!(listed.len(), 1, "health checks are not listed");
    let request = &listed[0];
    assert_eq!(request["method"], "POST");
    assert_eq!(request["path"], "/v1/chat/completions?a=b");
    assert_eq!(request["body"], body.to_string());
    assert_eq!(request["body_bytes"], body.to_string().len());
    assert_eq!(request["body_sha256"].as_str().map(str::len), Some(64));
    let headers = request["headers"].as_array().expect("a list");
    assert!(headers.contains(&json!(["x-mine", "yes"])), "{headers:?}");

    let cleared = simulator.send(Method::DELETE, "/simulator/requests", &[], Bytes::new()).await;
    assert_eq!(cleared.status, StatusCode::NO_CONTENT);
    assert_eq!(simulator.get("/simulator/requests").await.text(), "[]");
}

#[tokio::test]
async fn the_state_names_what_is_served_and_counts_it() {
    let simulator = Running::start(Options { name: Some("pod-1".into()), ..quick() }).await;
    simulator.post(CHAT, &json!({"messages": [{"role": "user", "content": "x"}]})).await;
    simulator.post(CHAT, &json!({"messages": [{"role": "user", "content": "x"}], "stream": true})).await;
    simulator.post(CHAT, &json!({"model": "nope", "messages": [{"role": "user", "content": "x"}]})).await;
    assert_eq!(
        simulator.get("/simulator/state").await.json(),
        json!({
            "name": "pod-1",
            "models": ["tiny", "tiny-alias"],
            "loras": ["lora-a"],
            "running": 0,
            "served": 2,
        })
    );
}

#[tokio::test]
async fn health_is_an_empty_200() {
    let simulator = Running::start(quick()).await;
    let health = simulator.get("/health").await;
    assert_eq!((health.status, health.text()), (StatusCode::OK, ""));
}

#[tokio::test]
async fn a_prompt_of_five_megabytes_is_answered() {
    let simulator = Running::start(Options { max_model_len: 3_000_000, ..quick() }).await;
    let prompt = "word ".repeat(1_000_000);
    let body = json!({"prompt": prompt, "max_tokens": 1});
    let answer = simulator.post_with("/v1/completions", &[("x-simulator-echo", "1")], &body).await;
    assert_eq!(answer.status, StatusCode::OK);
    let bytes = body.to_string().len().to_string();
    assert_eq!(answer.header("x-simulator-received-bytes"), Some(bytes.as_str()));
    assert!(answer.json()["usage"]["prompt_tokens"].as_u64() >= Some(1_000_000));
}
