//! Speech: forms in, text and seconds out.

use hyper::{Method, StatusCode};
use serde_json::json;

use crate::support::{Answer, Running, quick};

/// A form of these fields, and of a file of that many bytes.
async fn post(simulator: &Running, path: &str, fields: &[(&str, &str)], file: Option<usize>) -> Answer {
    let part = |name: &str, value: &str| {
        format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let mut form: String = fields.iter().map(|(name, value)| part(name, value)).collect();
    if let Some(bytes) = file {
        form += &part("file\"; filename=\"a.wav", &"s".repeat(bytes));
    }
    form += "--xyz--\r\n";
    simulator.send(Method::POST, path, &[("content-type", "multipart/form-data; boundary=xyz")], form.into()).await
}

#[tokio::test]
async fn a_transcription_has_its_text_and_its_seconds_and_a_translation_its_text() {
    let simulator = Running::start(quick()).await;
    let answer = post(&simulator, "/v1/audio/transcriptions", &[("model", "tiny")], Some(32_001)).await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, Some("application/json")));
    let body = answer.json();
    assert!(body["text"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
    assert_eq!(body["usage"], json!({"type": "duration", "seconds": 2}));
    let body = post(&simulator, "/v1/audio/translations", &[("model", "tiny")], Some(10)).await.json();
    assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["text"]);
}

#[tokio::test]
async fn a_streamed_transcription_ends_with_the_usage_that_was_asked_for() {
    let simulator = Running::start(quick()).await;
    let fields =
        [("model", "tiny"), ("stream", "true"), ("stream_include_usage", "true"), ("max_completion_tokens", "3")];
    let events = post(&simulator, "/v1/audio/transcriptions", &fields, Some(10)).await.events();
    let texts = events.iter().filter(|event| event["choices"][0]["delta"]["content"].is_string()).count();
    assert_eq!((texts, events.len()), (3, 4));
    assert_eq!(
        (&events[0]["object"], &events[2]["choices"][0]["finish_reason"]),
        (&json!("transcription.chunk"), &json!("length"))
    );
    assert_eq!(events[3]["usage"], json!({"prompt_tokens": 50, "total_tokens": 53, "completion_tokens": 3}));
    let events = post(&simulator, "/v1/audio/transcriptions", &fields[..2], Some(10)).await.events();
    assert!(events.iter().all(|event| event.get("usage").is_none()), "{events:?}");
}

#[tokio::test]
async fn a_form_without_a_file_and_one_for_another_model_are_refused() {
    let simulator = Running::start(quick()).await;
    let answer = post(&simulator, "/v1/audio/transcriptions", &[("model", "tiny")], None).await;
    assert_eq!((answer.status, &answer.json()["error"]["param"]), (StatusCode::BAD_REQUEST, &json!("body.file")));
    let answer = post(&simulator, "/v1/audio/transcriptions", &[("model", "nope")], Some(1)).await;
    assert_eq!((answer.status, &answer.json()["error"]["param"]), (StatusCode::NOT_FOUND, &json!("model")));
}
