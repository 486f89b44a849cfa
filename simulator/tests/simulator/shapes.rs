//! Responses, Messages and embeddings. The expected events are those of a captured vLLM.

use hyper::StatusCode;
use kthena_simulator::{Manners, Options};
use serde_json::{Value, json};

use crate::support::{Answer, Running, quick};

/// Names and data of a stream whose events have names.
fn named(answer: &Answer) -> Vec<(String, Value)> {
    assert_eq!(answer.header("content-type"), Some("text/event-stream; charset=utf-8"));
    let frames = answer.text().split_terminator("\n\n");
    frames
        .map(|frame| {
            let (name, data) = frame.split_once('\n').expect("two lines");
            let name = name.strip_prefix("event: ").expect("a name").to_owned();
            let data = data.strip_prefix("data: ").expect("data");
            (name, serde_json::from_str(data).expect("JSON"))
        })
        .collect()
}

fn names(events: &[(String, Value)]) -> Vec<&str> {
    events.iter().map(|(name, _)| name.as_str()).collect()
}

#[tokio::test]
async fn a_response_streams_from_created_to_completed() {
    let simulator = Running::start(quick()).await;
    let body = json!({"model": "tiny", "input": "hi", "max_output_tokens": 2, "stream": true});
    let events = named(&simulator.post("/v1/responses", &body).await);
    let expected = [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ];
    assert_eq!(names(&events), expected);
    for (index, (name, data)) in events.iter().enumerate() {
        assert_eq!((&data["sequence_number"], &data["type"]), (&json!(index), &json!(name)));
    }
    let response = &events[9].1["response"];
    assert_eq!(response["usage"]["output_tokens"], 2);
    assert_eq!(response["incomplete_details"], json!({"reason": "max_output_tokens"}));
    let deltas: String = events[4..6].iter().filter_map(|(_, data)| data["delta"].as_str()).collect();
    assert_eq!(response["output"][0]["content"][0]["text"], deltas);
    assert_eq!((&events[6].1["text"], &events[0].1["response"]["output"]), (&json!(deltas), &json!([])));
}

#[tokio::test]
async fn a_whole_response_has_the_keys_of_the_capture_in_their_order() {
    let simulator = Running::start(quick()).await;
    let input = json!([{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}]);
    let body = json!({"input": input, "instructions": "be", "max_output_tokens": 2});
    let answer = simulator.post("/v1/responses", &body).await;
    let text = answer.text();
    assert!(text.starts_with(r#"{"id":"resp_"#), "{text}");
    assert!(
        text.contains(
            r#""instructions":"be","metadata":null,"model":"tiny","object":"response","output":[{"id":"msg_"#
        )
    );
    let end = r#""max_output_tokens":2,"max_tool_calls":null,"previous_response_id":null,"prompt":null,"reasoning":null,"service_tier":"auto","status":"incomplete","text":null,"top_logprobs":null,"truncation":"disabled","usage":{"input_tokens":"#;
    assert!(text.contains(end), "{text}");

    let missing = simulator.post("/v1/responses", &json!({"model": "tiny"})).await;
    assert_eq!(missing.json()["error"]["param"], "body.input");
    let long = json!({"input": "hi", "max_output_tokens": 1_000_000});
    let message = simulator.post("/v1/responses", &long).await.json()["error"]["message"].clone();
    assert_eq!(
        message,
        "max_output_tokens=1000000 cannot be greater than max_model_len=131072. Please request fewer output tokens. \
         (parameter=max_output_tokens, value=1000000)"
    );
    let stored = simulator.get("/v1/responses/resp_1").await;
    assert_eq!(stored.status, StatusCode::NOT_FOUND);
    assert_eq!(stored.json()["error"]["message"], "Response with id 'resp_1' not found.");
}

#[tokio::test]
async fn a_message_streams_in_the_events_of_anthropic() {
    let simulator = Running::start(quick()).await;
    let messages = json!([{"role": "user", "content": "hi"}]);
    let mut body = json!({"model": "tiny", "max_tokens": 2, "messages": messages});
    let whole = simulator.post("/v1/messages", &body).await.json();
    assert_eq!((&whole["type"], &whole["stop_reason"]), (&json!("message"), &json!("max_tokens")));
    body["stream"] = json!(true);
    let events = named(&simulator.post("/v1/messages", &body).await);
    let expected = [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    assert_eq!(names(&events), expected);
    let deltas: String = events[2..4].iter().filter_map(|(_, data)| data["delta"]["text"].as_str()).collect();
    assert_eq!(whole["content"], json!([{"type": "text", "text": deltas}]));
    assert_eq!(events[5].1["usage"], whole["usage"]);
    assert_eq!(events[0].1["message"]["usage"]["input_tokens"], whole["usage"]["input_tokens"]);

    body["system"] = json!("be");
    let counted = simulator.post("/v1/messages/count_tokens", &body).await.json();
    assert!(counted["input_tokens"].as_u64() > whole["usage"]["input_tokens"].as_u64());
    assert_eq!(counted["context_management"]["original_input_tokens"], counted["input_tokens"]);
}

#[tokio::test]
async fn messages_have_errors_of_two_shapes() {
    let simulator = Running::start(quick()).await;
    let messages = json!([{"role": "user", "content": "hi"}]);
    let unknown = json!({"model": "nope", "max_tokens": 3, "messages": messages});
    let unknown = simulator.post("/v1/messages", &unknown).await;
    assert_eq!(
        (unknown.status, unknown.text()),
        (
            StatusCode::NOT_FOUND,
            r#"{"type":"error","error":{"type":"NotFoundError","message":"The model `nope` does not exist. Valid aliases: tiny, tiny-alias."}}"#
        )
    );
    let missing = simulator.post("/v1/messages", &json!({"model": "tiny", "messages": messages})).await;
    assert_eq!(missing.json()["error"]["param"], "body.max_tokens");
    let zero = simulator.post("/v1/messages", &json!({"model": "tiny", "max_tokens": 0, "messages": messages})).await;
    assert_eq!(
        zero.json()["error"]["message"],
        "1 validation error:\n  {'type': 'value_error', 'loc': 'body.max_tokens', 'msg': 'Value error, max_tokens must \
         be positive', 'input': '0', 'ctx': {'error': ValueError('max_tokens must be positive')}}"
    );
}

#[tokio::test]
async fn cached_tokens_are_told_only_when_the_engine_was_started_so() {
    let manners = Manners { enable_prompt_tokens_details: true, ..Manners::default() };
    let simulator = Running::start(Options { manners, ..quick() }).await;
    let prompt: Vec<u32> = (300..371).collect();
    let body = json!({"prompt": prompt, "max_tokens": 1});
    let first = simulator.post("/v1/completions", &body).await.json();
    let details = json!({"cached_tokens": 0, "created_cache_tokens": null, "multimodal_tokens": null});
    assert_eq!(first["usage"]["prompt_tokens_details"], details);
    let again = simulator.post("/v1/completions", &body).await.json();
    let cached = again["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64().expect("a number");
    assert!(cached >= 64 && cached % 16 == 0, "{cached}");
}

#[tokio::test]
async fn more_embeddings_than_fit_an_answer_are_refused() {
    let simulator = Running::start(quick()).await;
    let body = json!({"model": "tiny", "input": vec!["a"; 611], "dimensions": 16_384});
    let refused = simulator.post("/v1/embeddings", &body).await;
    assert_eq!((refused.status, &refused.json()["error"]["param"]), (StatusCode::BAD_REQUEST, &json!("input")));
    let message = refused.json()["error"]["message"].as_str().expect("text").to_owned();
    assert!(message.contains("611 inputs of 16384 dimensions") && message.contains("at most 10000000"), "{message}");
}

#[tokio::test]
async fn embeddings_are_of_unit_length_and_the_same_in_both_forms() {
    let simulator = Running::start(quick()).await;
    let mut body = json!({"model": "tiny-alias", "input": ["a", "b"], "dimensions": 8});
    let floats = simulator.post("/v1/embeddings", &body).await.json();
    assert_eq!((&floats["object"], &floats["model"]), (&json!("list"), &json!("tiny")));
    let vectors: Vec<Vec<f32>> = floats["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| serde_json::from_value(one["embedding"].clone()).expect("floats"))
        .collect();
    assert_ne!(vectors[0], vectors[1]);
    for vector in &vectors {
        let length: f32 = vector.iter().map(|float| float * float).sum();
        assert!(vector.len() == 8 && (length - 1.0).abs() < 1e-3, "{vector:?}");
    }
    body["encoding_format"] = json!("base64");
    let base64 = simulator.post("/v1/embeddings", &body).await.json();
    // Eight floats of four bytes, in four characters for each started three bytes.
    assert_eq!(base64["data"][1]["embedding"].as_str().map(str::len), Some(44));
    body["encoding_format"] = json!("hex");
    let refused = simulator.post("/v1/embeddings", &body).await;
    assert_eq!(
        (refused.status, &refused.json()["error"]["param"]),
        (StatusCode::BAD_REQUEST, &json!("body.encoding_format"))
    );
}
