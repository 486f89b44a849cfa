//! What reaches the engine is what the client sent, byte for byte but for what must change.
//!
//! The simulated engine answers with the length and the hash of what it received.

use crate::bodies::{BODIES, MODEL, SERVED};
use bytes::Bytes;
use kthena_e2e::Answer;
use sha2::{Digest, Sha256};

const ECHO: (&str, &str) = ("x-simulator-echo", "1");
const CHAT: &str = "/v1/chat/completions";

#[track_caller]
fn assert_received(answer: &Answer, expected: &[u8]) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let sha256: String = Sha256::digest(expected).iter().map(|byte| format!("{byte:02x}")).collect();
    let received = (answer.header("x-simulator-received-bytes"), answer.header("x-simulator-received-sha256"));
    let shown = String::from_utf8_lossy(&expected[..expected.len().min(300)]);
    assert_eq!(received, (expected.len().to_string().as_str(), sha256.as_str()), "expected {shown}");
}

/// Bodies as clients write them: `MODEL` stands for the name that they ask for.
fn bodies() -> Vec<String> {
    let mut bodies: Vec<String> = [
        r#"{"model":"MODEL","messages":[{"role":"user","content":"hi"}]}"#,
        r#"{"messages":[{"role":"user","content":"hi"}],"temperature":1.0e0,"model":"MODEL"}"#,
        r#"  { "messages" : [ { "role":"user", "content":"hi" } ] ,	"model" : "MODEL" , "seed" : 12345678901234567890 }  "#,
        r#"{"messages":[{"role":"user","content":"\u4f60\u597d 你好 \"\\\/\b\f\n\r\t \ud83d\ude00 😀"}],"model":"MODEL"}"#,
        r#"{"unknown":{"model":"not this","deep":[{"model":"nor this"}]},"model":"MODEL","prompt":"x","messages":[{"role":"user","content":"x"}]}"#,
        r#"{"model":"first","messages":[{"role":"user","content":"x"}],"user":"a","user":"b","model":"MODEL","n":1,"n":1}"#,
        r#"{"top_p":0.10000000000000000001,"model":"MODEL","messages":[{"role":"user","content":"x"}],"logit_bias":{"50256":-100.0}}"#,
    ]
    .iter()
    .map(|body| (*body).to_owned())
    .collect();
    let indented =
        "{\r\n    \"messages\": [{\"role\":\"user\",\"content\":\"x\"}],\r\n    \"model\": \"MODEL\"\r\n}\r\n";
    bodies.push(indented.to_owned());
    bodies
}

#[tokio::test]
async fn only_the_model_s_name_changes() {
    let client = BODIES.kthena.client();
    for body in bodies() {
        let answer = client.post(CHAT, &[ECHO], body.replace("MODEL", MODEL)).await;
        assert_received(&answer, body.replace("MODEL", SERVED).as_bytes());
    }
}

#[tokio::test]
async fn a_name_that_the_engine_knows_stays_as_it_is_written() {
    let client = BODIES.kthena.client();
    for body in bodies() {
        let body = body.replace("MODEL", "adapter");
        assert_received(&client.post(CHAT, &[ECHO], body.clone()).await, body.as_bytes());
    }
}

#[tokio::test]
async fn an_escaped_name_is_the_same_name() {
    let body = r#"{"messages":[{"role":"user","content":"x"}],"model":"as\u006bed"}"#;
    let answer = BODIES.kthena.client().post(CHAT, &[ECHO], body).await;
    assert_received(
        &answer,
        format!(r#"{{"messages":[{{"role":"user","content":"x"}}],"model":"{SERVED}"}}"#).as_bytes(),
    );
}

#[tokio::test]
async fn a_prompt_of_five_megabytes_arrives_whole() {
    let client = BODIES.kthena.client();
    let prompt = "All work and no play makes Jack a dull boy. 一切. ".repeat(100_000);
    for body in [
        format!(r#"{{"model":"MODEL","messages":[{{"role":"user","content":"{prompt}"}}]}}"#),
        format!(r#"{{"messages":[{{"role":"user","content":"{prompt}"}}],"model":"MODEL"}}"#),
    ] {
        assert!(body.len() > 5_000_000);
        let answer = client.post(CHAT, &[ECHO], body.replacen("MODEL", MODEL, 1)).await;
        assert_received(&answer, body.replacen("MODEL", SERVED, 1).as_bytes());
    }
}

#[tokio::test]
async fn a_body_in_tiny_pieces_of_unannounced_length_arrives_whole() {
    let client = BODIES.kthena.client();
    for (body, size) in bodies().into_iter().zip([1, 2, 3, 5, 7, 11, 13, 1]) {
        let chunks = body.replace("MODEL", MODEL).as_bytes().chunks(size).map(Bytes::copy_from_slice).collect();
        let answer = client.post_chunks(CHAT, &[ECHO], chunks).await;
        assert_received(&answer, body.replace("MODEL", SERVED).as_bytes());
    }
}

#[tokio::test]
async fn a_stream_is_asked_for_its_usage_and_nothing_else_changes() {
    let client = BODIES.kthena.client();
    for (sent, received) in [
        (
            r#"{"model":"M","messages":[{"role":"user","content":"x"}],"stream":true}"#,
            r#"{"stream_options":{"include_usage":true},"model":"M","messages":[{"role":"user","content":"x"}],"stream":true}"#,
        ),
        (
            r#"{ "stream":true, "stream_options": {"continuous_usage_stats":false}, "model":"M","messages":[{"role":"user","content":"x"}] }"#,
            r#"{ "stream":true, "stream_options": {"include_usage":true,"continuous_usage_stats":false}, "model":"M","messages":[{"role":"user","content":"x"}] }"#,
        ),
        (
            r#"{"model":"M","messages":[{"role":"user","content":"x"}],"stream":true,"stream_options":{"include_usage": false}}"#,
            r#"{"model":"M","messages":[{"role":"user","content":"x"}],"stream":true,"stream_options":{"include_usage": true}}"#,
        ),
        (
            r#"{"model":"M","messages":[{"role":"user","content":"x"}],"stream":true,"stream_options":null}"#,
            r#"{"model":"M","messages":[{"role":"user","content":"x"}],"stream":true,"stream_options":{"include_usage":true}}"#,
        ),
        (
            r#"{"model":"M","messages":[{"role":"user","content":"x"}],"stream":true,"stream_options":{"include_usage":true}}"#,
            r#"{"model":"M","messages":[{"role":"user","content":"x"}],"stream":true,"stream_options":{"include_usage":true}}"#,
        ),
        (
            r#"{"model":"M","messages":[{"role":"user","content":"x"}],"stream":false}"#,
            r#"{"model":"M","messages":[{"role":"user","content":"x"}],"stream":false}"#,
        ),
    ] {
        let (sent, received) = (sent.replace("\"M\"", "\"asked\""), received.replace("\"M\"", "\"served/model\""));
        assert_received(&client.post(CHAT, &[ECHO], sent).await, received.as_bytes());
    }
}
