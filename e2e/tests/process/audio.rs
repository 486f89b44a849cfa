//! Speech is sent as a form: its field `model` says whereto, and is the only thing that changes.

use crate::bodies::{BODIES, MODEL, SERVED, bodies};
use bytes::Bytes;
use kthena_e2e::Answer;
use serde_json::json;
use sha2::{Digest, Sha256};

const TRANSCRIPTIONS: &str = "/v1/audio/transcriptions";
const FORM: (&str, &str) = ("content-type", "multipart/form-data; boundary=----xyz");
const ECHO: (&str, &str) = ("x-simulator-echo", "1");

fn field(name: &str, value: &str) -> String {
    format!("------xyz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

/// A file of that many bytes in which line ends and dashes abound.
fn file(bytes: usize) -> Vec<u8> {
    let head = "------xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\
                Content-Type: audio/wav\r\n\r\n";
    let noise = b"\r\n------xy\r\r\n--\x00\xff\n".iter().cycle().take(bytes).copied();
    head.bytes().chain(noise).chain(*b"\r\n").collect()
}

fn form(parts: &[&[u8]]) -> Vec<u8> {
    [&parts.concat(), &b"------xyz--\r\n"[..]].concat()
}

#[track_caller]
fn assert_received(answer: &Answer, expected: &[u8]) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let sha256: String = Sha256::digest(expected).iter().map(|byte| format!("{byte:02x}")).collect();
    let received = (answer.header("x-simulator-received-bytes"), answer.header("x-simulator-received-sha256"));
    assert_eq!(received, (expected.len().to_string().as_str(), sha256.as_str()));
}

#[tokio::test]
async fn the_model_is_found_wherever_it_stands_and_nothing_else_changes() {
    let client = BODIES.kthena.client();
    let megabytes = file(3_000_000);
    for path in [TRANSCRIPTIONS, "/v1/audio/translations"] {
        for (asked, served) in [(MODEL, SERVED), ("adapter", "adapter")] {
            let with = |model: &str| {
                let model = field("model", model).into_bytes();
                [form(&[&model, &megabytes]), form(&[&megabytes, field("language", "en").as_bytes(), &model])]
            };
            for (sent, received) in with(asked).into_iter().zip(with(served)) {
                assert_received(&client.post(path, &[FORM, ECHO], sent.clone()).await, &received);
                let chunks = sent.chunks(4093).map(Bytes::copy_from_slice).collect();
                assert_received(&client.post_chunks(path, &[FORM, ECHO], chunks).await, &received);
            }
        }
    }
}

#[tokio::test]
async fn a_transcription_and_its_stream_come_back_as_the_engine_says_them() {
    let client = BODIES.kthena.client();
    let (model, file) = (field("model", MODEL), file(64_000));
    let answer = client.post(TRANSCRIPTIONS, &[FORM], form(&[model.as_bytes(), &file])).await.ok().json();
    assert_eq!(answer["usage"], json!({"type": "duration", "seconds": 2}));
    let stream = field("stream", "true") + &field("max_completion_tokens", "3");
    for (more, events) in [("", 3), (&field("stream_include_usage", "true"), 4)] {
        let fields = format!("{model}{stream}{more}");
        let answer = client.post(TRANSCRIPTIONS, &[FORM], form(&[fields.as_bytes(), &file])).await.ok();
        assert_eq!(answer.events().len(), events, "usage comes where it was asked for: {}", answer.text());
    }
}

#[tokio::test]
async fn a_form_that_cannot_be_served_is_refused_in_words() {
    let client = BODIES.kthena.client();
    let file = file(100);
    let post = async |fields: String| {
        let answer = client.post(TRANSCRIPTIONS, &[FORM], form(&[fields.as_bytes(), &file])).await;
        (answer.status, answer.error())
    };
    assert_eq!(post(String::new()).await, (404, "model not found".to_owned()));
    assert_eq!(post(field("model", "nobody")).await, (404, "route not found".to_owned()));
    let (status, error) = post(field("model", MODEL) + &field("model", MODEL)).await;
    assert!(status == 400 && error.starts_with("invalid request body: `model` is there twice"), "{error}");
    let no_boundary = ("content-type", "multipart/form-data");
    let answer = client.post(TRANSCRIPTIONS, &[no_boundary], form(&[&file])).await;
    assert!(answer.status == 400 && answer.error().contains("needs a boundary"), "{}", answer.text());
    let cut = client.post(TRANSCRIPTIONS, &[FORM], file.clone()).await;
    assert!(cut.status == 400 && cut.error().contains("unexpected end of the form"), "{}", cut.text());
    BODIES.kthena.client().chat(MODEL).await.ok();
}

#[tokio::test]
async fn a_form_over_the_limit_is_refused_announced_or_not() {
    let small = bodies(|setup| setup.config("dataPlane: {maxRequestBodyBytes: 1000}\n"));
    let client = small.kthena.client();
    let model = field("model", MODEL);
    client.post(TRANSCRIPTIONS, &[FORM], form(&[model.as_bytes(), &file(500)])).await.ok();
    let large = form(&[model.as_bytes(), &file(1000)]);
    client
        .post(TRANSCRIPTIONS, &[FORM], large.clone())
        .await
        .assert_error(413, "request body is larger than 1000 bytes");
    let chunks = large.chunks(100).map(Bytes::copy_from_slice).collect();
    let answer = client.post_chunks(TRANSCRIPTIONS, &[FORM], chunks).await;
    answer.assert_error(413, "request body is larger than 1000 bytes");
}
