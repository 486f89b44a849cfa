//! Keys, ids, ranks, limits and states, as a vLLM has them that was started with these flags.

use std::time::Duration;

use hyper::body::Bytes;
use hyper::{Method, StatusCode};
use kthena_simulator::{Capacity, Manners, Options};
use serde_json::{Value, json};

use crate::support::{Running, quick, stuck};

const COMPLETIONS: &str = "/v1/completions";

async fn with(manners: Manners) -> Running {
    Running::start(Options { manners, ..quick() }).await
}

fn prompt(text: &str) -> Value {
    json!({"prompt": text, "max_tokens": 1})
}

#[tokio::test]
async fn a_key_guards_what_vllm_guards_and_nothing_else() {
    let simulator = with(Manners { api_key: Some("secret".into()), ..Manners::default() }).await;
    let refused = simulator.post(COMPLETIONS, &prompt("x")).await;
    assert_eq!((refused.status, refused.text()), (StatusCode::UNAUTHORIZED, r#"{"error":"Unauthorized"}"#));
    for (key, status) in [("Bearer wrong", 401), ("secret", 401), ("bearer secret", 200)] {
        let answer = simulator.post_with(COMPLETIONS, &[("authorization", key)], &prompt("x")).await;
        assert_eq!(answer.status.as_u16(), status, "{key}");
    }
    for path in ["/health", "/metrics", "/load", "/simulator/state"] {
        assert_eq!(simulator.get(path).await.status, StatusCode::OK, "{path}");
    }
    assert_eq!(simulator.post("/tokenize", &json!({"prompt": "x"})).await.status, StatusCode::OK);
    assert_eq!(simulator.post("/invocations", &prompt("x")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_id_is_echoed_only_when_the_engine_was_started_so() {
    let given = [("x-request-id", "my-42")];
    let silent = Running::start(quick()).await;
    assert_eq!(silent.post_with(COMPLETIONS, &given, &prompt("x")).await.header("x-request-id"), None);
    let telling = with(Manners { enable_request_id_headers: true, ..Manners::default() }).await;
    let answer = telling.post_with(COMPLETIONS, &given, &prompt("x")).await;
    assert_eq!((answer.header("x-request-id"), &answer.json()["id"]), (Some("my-42"), &json!("cmpl-my-42")));
    assert!(telling.get("/health").await.header("x-request-id").is_some());
}

#[tokio::test]
async fn a_rank_out_of_range_is_a_400_and_one_that_is_no_number_is_none() {
    let simulator = Running::start(quick()).await;
    for (rank, status) in [("0", 200), ("x", 200), ("7", 400)] {
        let answer = simulator.post_with(COMPLETIONS, &[("x-data-parallel-rank", rank)], &prompt("x")).await;
        assert_eq!(answer.status.as_u16(), status, "{rank}");
        if status == 400 {
            assert_eq!(answer.json()["error"]["message"], "data_parallel_rank 7 is out of range [0, 1).");
        }
    }
}

#[tokio::test]
async fn a_full_engine_refuses_in_the_words_of_vllm() {
    let capacity = Capacity { max_num_queued_reqs: Some(1), ..Capacity::default() };
    let simulator = Running::start(Options { capacity, ..stuck() }).await;
    let waiting = prompt("x");
    let waiting = simulator.post(COMPLETIONS, &waiting);
    tokio::pin!(waiting);
    let refused = async {
        simulator.reaches((1, 0)).await;
        simulator.post(COMPLETIONS, &prompt("x")).await
    };
    let refused = tokio::select! {
        answer = &mut waiting => panic!("{answer:?}"),
        refused = refused => refused,
    };
    assert_eq!(
        (refused.status, refused.text()),
        (
            StatusCode::SERVICE_UNAVAILABLE,
            r#"{"error":{"message":"The engine is currently busy and cannot accept new requests. Please try again later or on a different instance.","type":"Service Unavailable","param":null,"code":503}}"#
        )
    );
    assert_eq!(refused.header("retry-after"), None);
}

#[tokio::test]
async fn what_does_not_fit_the_context_is_refused_in_the_words_of_vllm() {
    let simulator = Running::start(Options { max_model_len: 16, ..quick() }).await;
    let ids = |count: u32| json!({"prompt": (0..count).collect::<Vec<_>>(), "max_tokens": 1});
    for (body, message) in [
        (
            ids(17),
            "This model's maximum context length is 16 tokens. However, your prompt contains at least 17 input tokens, \
             which exceeds this limit even without any output tokens. Please reduce the length of the input prompt. \
             (parameter=input_tokens, value=17)",
        ),
        (ids(16), "max_tokens must be at least 1, got 0. (parameter=max_tokens, value=0)"),
        (
            json!({"prompt": "x", "max_tokens": 17}),
            "max_tokens=17 cannot be greater than max_model_len=16. Please request fewer output tokens. \
             (parameter=max_tokens, value=17)",
        ),
    ] {
        let answer = simulator.post(COMPLETIONS, &body).await;
        assert_eq!((answer.status, &answer.json()["error"]["message"]), (StatusCode::BAD_REQUEST, &json!(message)));
    }
}

#[tokio::test]
async fn asleep_it_is_healthy_and_says_so() {
    let simulator = Running::start(Options { ttft: Duration::ZERO, ..quick() }).await;
    let post = |path| simulator.send(Method::POST, path, &[], Bytes::new());
    assert_eq!(post("/sleep?level=2").await.text(), r#"{"status":"sleeping","level":2}"#);
    assert_eq!(simulator.get("/is_sleeping").await.text(), r#"{"is_sleeping":true}"#);
    assert_eq!(simulator.get("/health").await.status, StatusCode::OK);
    let metrics = simulator.get("/metrics").await;
    for (state, value) in [("awake", "0.0"), ("weights_offloaded", "0.0"), ("discard_all", "1.0")] {
        let line =
            format!("vllm:engine_sleep_state{{engine=\"0\",model_name=\"tiny\",sleep_state=\"{state}\"}} {value}\n");
        assert!(metrics.text().contains(&line), "{line}");
    }
    assert_eq!(post("/wake_up?tags=weights").await.json(), json!({"status": "awake", "tags": ["weights"]}));
    assert_eq!(simulator.get("/is_sleeping").await.text(), r#"{"is_sleeping":false}"#);
    let bad = post("/sleep?level=9").await;
    assert_eq!(
        bad.text(),
        r#"{"error":{"message":"1 validation error:\n  {'type': 'less_than_equal', 'loc': 'query.level', 'msg': 'Input should be less than or equal to 2', 'input': '9', 'ctx': {'le': 2}}","type":"Bad Request","param":"query.level","code":400}}"#
    );
}

#[tokio::test]
async fn small_services_answer_as_the_captured_engine_did() {
    let simulator = Running::start(quick()).await;
    assert_eq!(simulator.get("/version").await.text(), r#"{"version":"0.32.0"}"#);
    assert_eq!(simulator.get("/load").await.text(), r#"{"server_load":0}"#);
    let post = |path| simulator.send(Method::POST, path, &[], Bytes::new());
    assert_eq!(post("/reset_prefix_cache").await.text(), r#"{"success":true}"#);
    assert_eq!((post("/ping").await.status, simulator.get("/ping").await.text()), (StatusCode::OK, ""));
    assert_eq!(simulator.get("/reset_prefix_cache").await.status, StatusCode::METHOD_NOT_ALLOWED);
    let chat = json!({"messages": [{"role": "user", "content": "x"}], "max_tokens": 1});
    assert_eq!(simulator.post("/invocations", &chat).await.json()["object"], "chat.completion");
}
