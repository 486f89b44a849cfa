//! Requests that are refused, in vLLM's words.

use std::time::Duration;

use hyper::body::Bytes;
use hyper::{Method, StatusCode};
use kthena_simulator::{Options, Simulator};
use serde_json::{Value, json};

use crate::support::{Running, quick};

const CHAT: &str = "/v1/chat/completions";

fn error(message: &str, kind: &str, param: Option<&str>, code: u16) -> Value {
    json!({"error": {"message": message, "type": kind, "param": param, "code": code}})
}

#[tokio::test]
async fn an_unknown_model_is_a_404_that_names_the_served_ones() {
    let simulator = Running::start(quick()).await;
    let answer = simulator.post(CHAT, &json!({"model": "nope", "messages": [{"role": "user", "content": "x"}]})).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(
        answer.text(),
        r#"{"error":{"message":"The model `nope` does not exist. Valid aliases: tiny, tiny-alias.","type":"NotFoundError","param":"model","code":404}}"#
    );
}

#[tokio::test]
async fn a_parameter_out_of_range_is_a_400_also_for_a_stream() {
    let simulator = Running::start(quick()).await;
    for stream in [false, true] {
        let body = json!({"messages": [{"role": "user", "content": "x"}], "top_p": 2, "stream": stream});
        let answer = simulator.post(CHAT, &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let message = "top_p must be in (0, 1], got 2.0. (parameter=top_p, value=2.0)";
        assert_eq!(answer.json(), error(message, "BadRequestError", Some("top_p"), 400));
    }
}

#[tokio::test]
async fn a_small_request_for_a_huge_answer_is_a_400() {
    let simulator = Running::start(quick()).await;
    for (path, body) in [
        (CHAT, json!({"messages": [{"role": "user", "content": "x"}], "n": 16_384, "max_tokens": 131_072})),
        ("/v1/completions", json!({"prompt": vec!["a"; 300], "n": 16_384, "max_tokens": 1})),
    ] {
        let answer = simulator.post(path, &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        let error = &answer.json()["error"];
        assert_eq!((&error["type"], &error["param"]), (&json!("BadRequestError"), &json!("max_tokens")), "{error}");
    }
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_400s_of_the_framework() {
    let simulator = Running::start(quick()).await;
    let json_type = [("content-type", "application/json")];
    let post =
        |headers, body: &'static str| simulator.send(Method::POST, CHAT, headers, Bytes::from_static(body.as_bytes()));

    let missing = post(&json_type, r#"{"model": "tiny"}"#).await;
    assert_eq!(missing.status, StatusCode::BAD_REQUEST);
    let message = "1 validation error:\n  {'type': 'missing', 'loc': 'body.messages', \
                   'msg': 'Field required', 'input': '<dict of 1 items>'}";
    assert_eq!(missing.json(), error(message, "Bad Request", Some("body.messages"), 400));

    let broken = post(&json_type, r#"{"model": "#).await;
    assert_eq!(broken.status, StatusCode::BAD_REQUEST);
    assert_eq!(broken.json()["error"]["type"], "Bad Request");

    let plain = post(&[("content-type", "text/plain")], "{}").await;
    assert_eq!(plain.status, StatusCode::BAD_REQUEST);
    let message = "1 validation error:\n  Unsupported Media Type: Only 'application/json' is allowed";
    assert_eq!(plain.json(), error(message, "Bad Request", None, 400));
}

#[tokio::test]
async fn stream_options_need_a_stream_and_completions_need_a_prompt() {
    let simulator = Running::start(quick()).await;
    for (path, body, param, message) in [
        (
            CHAT,
            json!({"messages": [{"role": "user", "content": "x"}], "stream_options": {"include_usage": true}}),
            "stream_options",
            "Stream options can only be defined when `stream=True`. (parameter=stream_options)",
        ),
        (
            "/v1/completions",
            json!({"model": "tiny"}),
            "prompt",
            "Either prompt or prompt_embeds must be provided and non-empty. (parameter=prompt)",
        ),
    ] {
        let answer = simulator.post(path, &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert_eq!(answer.json(), error(message, "BadRequestError", Some(param), 400));
    }
}

#[tokio::test]
async fn unknown_fields_and_roles_are_no_error() {
    let simulator = Running::start(quick()).await;
    let body = json!({"messages": [{"role": "narrator", "content": "x"}], "no_such_field": {}});
    assert_eq!(simulator.post(CHAT, &body).await.status, StatusCode::OK);
}

#[tokio::test]
async fn paths_and_methods_are_refused_as_starlette_does() {
    let simulator = Running::start(quick()).await;
    let send = |method, path| simulator.send(method, path, &[], Bytes::new());

    let unknown = simulator.get("/nope").await;
    assert_eq!((unknown.status, unknown.text()), (StatusCode::NOT_FOUND, r#"{"detail":"Not Found"}"#));
    let method = simulator.get(CHAT).await;
    assert_eq!((method.status, method.text()), (StatusCode::METHOD_NOT_ALLOWED, r#"{"detail":"Method Not Allowed"}"#));
    let head = send(Method::HEAD, "/v1/models").await;
    assert_eq!(head.status, StatusCode::METHOD_NOT_ALLOWED);
    let slash = simulator.get("/v1/models/").await;
    assert_eq!(slash.status, StatusCode::TEMPORARY_REDIRECT);
    let expected = format!("http://{}/v1/models", simulator.address);
    assert_eq!(slash.header("location"), Some(expected.as_str()));
}

#[tokio::test]
async fn a_port_in_use_is_an_error_that_names_the_address() {
    let simulator = Running::start(quick()).await;
    let options = Options { listen: simulator.address, ..quick() };
    let error = Simulator::bind(options).await.expect_err("the port is taken");
    let expected = format!("cannot listen on {}", simulator.address);
    assert!(format!("{error:#}").starts_with(&expected), "{error:#}");
}

#[tokio::test]
async fn options_that_cannot_work_are_errors_before_the_port_is_taken() {
    for (options, named) in [
        (Options { speed: f64::NAN, ..quick() }, "--speed"),
        (Options { models: Vec::new(), ..quick() }, "--model"),
        (Options { loras: vec!["tiny".into()], ..quick() }, "--lora tiny"),
        (Options { name: Some("two\nlines".into()), ..quick() }, "--name"),
        (Options { keep_alive: Duration::ZERO, ..quick() }, "--keep-alive"),
    ] {
        let error = Simulator::bind(options).await.expect_err(named);
        assert!(format!("{error:#}").starts_with(named), "{error:#}");
    }
}
