//! Names: the list, and adapters that come and go.

use hyper::StatusCode;
use kthena_simulator::{Manners, Options};
use serde_json::{Value, json};

use crate::support::{Running, quick};

const LOAD: &str = "/v1/load_lora_adapter";
const UNLOAD: &str = "/v1/unload_lora_adapter";

async fn listed(simulator: &Running) -> Vec<Value> {
    let list = simulator.get("/v1/models").await.json();
    assert_eq!(list["object"], "list");
    list["data"].as_array().expect("a list").clone()
}

fn ids(cards: &[Value]) -> Vec<&str> {
    cards.iter().map(|card| card["id"].as_str().expect("text")).collect()
}

#[tokio::test]
async fn served_names_come_first_and_adapters_name_their_parent() {
    let simulator = Running::start(quick()).await;
    let cards = listed(&simulator).await;
    assert_eq!(ids(&cards), ["tiny", "tiny-alias", "lora-a"]);
    let seen: Vec<_> = cards
        .iter()
        .map(|card| (card["root"].clone(), card["parent"].clone(), card["max_model_len"].clone()))
        .collect();
    let served = (json!("tiny"), Value::Null, json!(131_072));
    assert_eq!(seen, [served.clone(), served, (json!("lora-a"), json!("tiny"), Value::Null)]);
    assert_eq!(cards[0]["owned_by"], "vllm");
    assert_eq!(cards[0]["permission"][0]["allow_sampling"], true);
}

#[tokio::test]
async fn an_adapter_serves_from_its_loading_to_its_unloading() {
    let simulator = Running::start(quick()).await;
    let request = json!({"model": "lora-b", "prompt": "x", "max_tokens": 1});
    let loading = json!({"lora_name": "lora-b", "lora_path": "/adapters/b"});

    let before = simulator.post("/v1/completions", &request).await;
    assert_eq!(before.status, StatusCode::NOT_FOUND);

    let loaded = simulator.post(LOAD, &loading).await;
    assert_eq!(loaded.text(), "Success: LoRA adapter 'lora-b' added successfully.");
    assert_eq!((loaded.status, loaded.header("content-type")), (StatusCode::OK, None));
    let cards = listed(&simulator).await;
    assert_eq!(ids(&cards), ["tiny", "tiny-alias", "lora-a", "lora-b"]);
    assert_eq!(cards[3]["root"], "/adapters/b");
    assert_eq!(simulator.post("/v1/completions", &request).await.json()["model"], "lora-b");

    let unloaded = simulator.post(UNLOAD, &json!({"lora_name": "lora-b"})).await;
    assert_eq!(unloaded.text(), "Success: LoRA adapter 'lora-b' removed successfully.");
    let after = simulator.post("/v1/completions", &request).await;
    assert_eq!(after.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_adapter_is_loaded_twice_only_in_place() {
    let simulator = Running::start(quick()).await;
    let mut loading = json!({"lora_name": "lora-a", "lora_path": "/elsewhere"});
    let again = simulator.post(LOAD, &loading).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        again.json()["error"],
        json!({
            "message": "The lora adapter 'lora-a' has already been loaded. If you want to load \
                        the adapter in place, set 'load_inplace' to True.",
            "type": "InvalidUserInput",
            "param": null,
            "code": 400,
        })
    );
    loading["load_inplace"] = json!(true);
    assert_eq!(simulator.post(LOAD, &loading).await.status, StatusCode::OK);
    assert_eq!(listed(&simulator).await[2]["root"], "/elsewhere");
}

#[tokio::test]
async fn an_adapter_that_is_not_where_it_should_be_is_a_404() {
    let manners = Manners { missing_lora_paths: vec!["/nope".into()], ..Manners::default() };
    let simulator = Running::start(Options { manners, ..quick() }).await;
    let missing = simulator.post(LOAD, &json!({"lora_name": "lora-x", "lora_path": "/nope"})).await;
    assert_eq!(
        (missing.status, missing.text()),
        (
            StatusCode::NOT_FOUND,
            r#"{"error":{"message":"Loading lora lora-x failed: No adapter found for /nope","type":"NotFoundError","param":null,"code":404}}"#
        )
    );
}

#[tokio::test]
async fn adapter_requests_that_make_no_sense_are_refused() {
    let simulator = Running::start(quick()).await;
    let unknown = simulator.post(UNLOAD, &json!({"lora_name": "nope"})).await;
    assert_eq!(
        (unknown.status, unknown.text()),
        (
            StatusCode::NOT_FOUND,
            r#"{"error":{"message":"The lora adapter 'nope' cannot be found.","type":"NotFoundError","param":null,"code":404}}"#
        )
    );
    for body in [
        json!({"lora_name": "tiny", "lora_path": "/x"}),
        json!({"lora_name": "", "lora_path": "/x"}),
        json!({"lora_name": "x"}),
    ] {
        let refused = simulator.post(LOAD, &body).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{body}");
    }
}
