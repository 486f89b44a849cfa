//! Paths and methods.

use super::subject::CHAT;
use super::{Case, Subject, cases, shape};
use crate::Answer;
use http::Method;
use serde_json::json;

pub(super) const EVERYWHERE: &[Case] = cases![an_unknown_path_is_not_found, another_method_is_refused];

pub(super) const DIRECT: &[Case] = cases![
    models_are_listed_with_their_names,
    a_model_has_no_page_of_its_own,
    health_is_empty_and_knows_only_get,
    the_version_is_told,
    a_slash_too_many_is_redirected,
];

const MODEL: &str = concat!(
    r#"{"id":"","object":"","created":0,"owned_by":"","root":"","parent":null,"max_model_len":0,"permission":[{"#,
    r#""id":"","object":"","created":0,"allow_create_engine":false,"allow_sampling":true,"allow_logprobs":true,"#,
    r#""allow_search_indices":false,"allow_view":true,"allow_fine_tuning":false,"organization":"","group":null,"#,
    r#""is_blocking":false}]}"#
);

#[track_caller]
fn assert_detail(answer: &Answer, status: u16, allow: &str, body: &str) {
    assert_eq!((answer.status, answer.header("allow"), answer.text()), (status, allow, body));
    assert_eq!(answer.header("content-type"), "application/json");
}

async fn an_unknown_path_is_not_found(it: Subject) {
    assert_detail(&it.get("/v1/nothing").await, 404, "", r#"{"detail":"Not Found"}"#);
    let answer = it.front.post("/v1/nothing", &[], it.chat_body(json!({})).to_string()).await;
    assert_detail(&answer, 404, "", r#"{"detail":"Not Found"}"#);
}

async fn another_method_is_refused(it: Subject) {
    let headers = [("x-kthena-model", it.facts.model)];
    for (method, body) in [
        (Method::GET, r#"{"detail":"Method Not Allowed"}"#),
        (Method::DELETE, r#"{"detail":"Method Not Allowed"}"#),
        (Method::HEAD, ""),
    ] {
        assert_detail(&it.front.bare(method, CHAT, &headers).await, 405, "POST", body);
    }
}

async fn models_are_listed_with_their_names(it: Subject) {
    let answer = it.front.get("/v1/models").await.ok();
    assert_eq!(shape(answer.text()), format!(r#"{{"object":"","data":[{MODEL},{MODEL}]}}"#));
    let json = answer.json();
    let models = json["data"].as_array().unwrap();
    assert_eq!((&models[0]["id"], &models[1]["id"]), (&json!(it.facts.model), &json!(it.facts.alias)));
    for model in models {
        assert_eq!((&model["object"], &model["owned_by"]), (&json!("model"), &json!("vllm")));
        assert_eq!(model["max_model_len"], it.facts.max_model_len);
        assert_eq!(model["permission"][0]["organization"], "*");
    }
    let head = it.front.bare(Method::HEAD, "/v1/models", &[]).await;
    assert_detail(&head, 405, "GET", "");
}

async fn a_model_has_no_page_of_its_own(it: Subject) {
    let path = format!("/v1/models/{}", it.facts.model);
    assert_detail(&it.front.get(&path).await, 404, "", r#"{"detail":"Not Found"}"#);
}

async fn health_is_empty_and_knows_only_get(it: Subject) {
    let answer = it.front.get("/health").await.ok();
    assert_eq!((answer.header("content-length"), answer.header("content-type")), ("0", ""));
    assert_detail(&it.front.bare(Method::HEAD, "/health", &[]).await, 405, "GET", "");
}

async fn the_version_is_told(it: Subject) {
    assert_eq!(it.front.get("/version").await.ok().text(), r#"{"version":"0.32.0"}"#);
}

async fn a_slash_too_many_is_redirected(it: Subject) {
    let answer = it.front.get("/v1/models/").await;
    assert_eq!((answer.status, answer.text()), (307, ""));
    assert!(answer.header("location").ends_with("/v1/models"), "{}", answer.header("location"));
    let answer = it.front.post(&format!("{CHAT}/"), &[], "{}").await;
    assert_eq!(answer.status, 307);
    assert!(answer.header("location").starts_with("http://") && answer.header("location").ends_with(CHAT));
}
