//! What is answered without an engine, and what passes to one without a body.

use crate::spine::SPINE;
use kthena_e2e::{Kthena, Setup, chat, manifests};
use std::sync::LazyLock;

/// A name with slashes, as those of model hubs are.
const HUB_NAME: &str = "deepseek-ai/DeepSeek-R1";

static HUB: LazyLock<Kthena> = LazyLock::new(|| {
    let route = manifests::route("hub", HUB_NAME, &[("hub", 100)]);
    let lost = manifests::route("lost", "lost", &[("nowhere", 100)]);
    let server = manifests::server("hub", "served", "");
    Setup::simulated(&[("hub.yaml", &(route + &lost + &server))]).up()
});

#[tokio::test]
async fn the_models_are_listed_with_their_adapters() {
    let answer = SPINE.client().get("/v1/models").await.ok();
    assert_eq!(answer.header("content-type"), "application/json");
    let json = answer.json();
    let names: Vec<_> = json["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!(names, ["deepseek-multi-models", "deepseek-simple", "deepseek-subset", "lora-A", "lora-B"]);
    assert_eq!((json["object"].as_str(), json["data"][0]["object"].as_str()), (Some("list"), Some("model")));
}

#[tokio::test]
async fn a_model_is_shown_by_its_name_slashes_and_all() {
    let client = HUB.client();
    for path in ["/v1/models/deepseek-ai/DeepSeek-R1", "/v1/models/deepseek-ai%2FDeepSeek-R1"] {
        assert_eq!(client.get(path).await.ok().json()["id"], HUB_NAME, "{path}");
    }
    client.get("/v1/models/nobody").await.assert_error(404, "The model `nobody` does not exist");
    assert_eq!(client.chat(HUB_NAME).await.ok().json()["model"], "served");
}

#[tokio::test]
async fn a_request_without_a_body_names_its_model_in_a_header() {
    let client = SPINE.client();
    let answer = client.get_with("/v1/anything", &[("x-kthena-model", "deepseek-simple")]).await;
    assert_eq!(answer.text(), r#"{"detail":"Not Found"}"#, "the engine's own answer");
    assert!(answer.pod().starts_with("default/deepseek-r1-1-5b"), "{}", answer.pod());
    client.get("/v1/anything").await.assert_error(404, "model not found");
    client.get_with("/v1/anything", &[("x-kthena-model", "who")]).await.assert_error(404, "route not found");
}

#[tokio::test]
async fn health_and_readiness_are_answered_on_the_listener() {
    let client = SPINE.client();
    assert_eq!(client.get("/healthz").await.ok().json()["message"], "ok");
    assert_eq!(client.get("/readyz").await.ok().json()["message"], "router is ready");
}

#[tokio::test]
async fn a_path_that_only_begins_like_readiness_is_not_found() {
    SPINE.client().get("/readyzfoo").await.assert_error(404, "404 page not found");
}

#[tokio::test]
async fn our_errors_have_the_shape_of_openai_s() {
    let client = SPINE.client();
    let answer = client.get("/metrics").await;
    answer.assert_error(404, "404 page not found");
    assert_eq!(
        answer.text(),
        r#"{"error":{"message":"404 page not found","type":"invalid_request_error","param":null,"code":"not_found"}}"#
    );
    let unknown = client.chat("gpt-unknown").await;
    unknown.assert_error(404, "route not found");
    assert_eq!(unknown.json()["error"]["code"], "model_not_found");
    assert_eq!(unknown.pod(), "", "no engine saw it");
    let no_prompt = client.post("/v1/chat/completions", &[], r#"{"model":"deepseek-simple"}"#).await;
    no_prompt.assert_error(404, "prompt not found");
    let no_model = client.post("/v1/chat/completions", &[], r#"{"messages":[]}"#).await;
    no_model.assert_error(404, "model not found");
    let not_json = client.post("/v1/chat/completions", &[], "hello").await;
    not_json.assert_error(400, "invalid request body: expected a JSON object, found character 'h' at byte 0");
}

#[tokio::test]
async fn errors_on_the_messages_path_have_the_shape_of_anthropic_s() {
    let client = SPINE.client();
    let answer = client.post("/v1/messages", &[], chat("nobody").to_string()).await;
    assert_eq!(
        (answer.status, answer.text()),
        (404, r#"{"type":"error","error":{"type":"not_found_error","message":"route not found"}}"#)
    );
}

#[tokio::test]
async fn an_engine_s_own_refusal_passes_untouched() {
    let client = SPINE.client();
    let mut body = chat("deepseek-simple");
    body["temperature"] = 3.into();
    let answer = client.post("/v1/chat/completions", &[], body.to_string()).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error"]["type"], "BadRequestError");
    assert!(!answer.pod().is_empty(), "it comes from the engine");
    let answer = client.post("/v1/nowhere", &[], chat("deepseek-simple").to_string()).await;
    assert_eq!((answer.status, answer.text()), (404, r#"{"detail":"Not Found"}"#));
}

#[tokio::test]
async fn a_target_that_is_not_there_is_named() {
    HUB.client().chat("lost").await.assert_error(404, "can't find model server: default/nowhere");
}
