//! Bodies over the limit are refused, in the client's shape, whether or not they were announced.

use crate::bodies::{Bodies, MODEL, bodies};
use bytes::Bytes;
use kthena_e2e::until;
use std::sync::LazyLock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const TEXT: &str = "request body is larger than 1024 bytes";

static LIMITED: LazyLock<Bodies> =
    LazyLock::new(|| bodies(|setup| setup.config("dataPlane:\n  maxRequestBodyBytes: 1024\n")));

/// A chat of exactly that many bytes.
fn chat_of(bytes: usize) -> String {
    let empty = format!(r#"{{"model":"{MODEL}","messages":[{{"role":"user","content":""}}]}}"#);
    empty.replace(r#""content":"""#, &format!(r#""content":"{}""#, "x".repeat(bytes - empty.len())))
}

fn chunks(body: &str) -> Vec<Bytes> {
    body.as_bytes().chunks(100).map(Bytes::copy_from_slice).collect()
}

#[tokio::test]
async fn a_body_at_the_limit_passes_and_one_byte_more_is_refused() {
    let client = LIMITED.kthena.client();
    let path = "/v1/chat/completions";
    client.post(path, &[], chat_of(1024)).await.ok();
    client.post_chunks(path, &[], chunks(&chat_of(1024))).await.ok();
    let announced = client.post(path, &[], chat_of(1025)).await;
    let unannounced = client.post_chunks(path, &[], chunks(&chat_of(1025))).await;
    for answer in [announced, unannounced] {
        answer.assert_error(413, TEXT);
        assert_eq!(answer.json()["error"]["code"], "request_too_large");
    }
}

#[tokio::test]
async fn a_refused_body_has_the_shape_of_its_path() {
    let answer = LIMITED.kthena.client().post("/v1/messages", &[], chat_of(2000)).await;
    assert_eq!(answer.status, 413);
    assert_eq!(
        answer.text(),
        format!(r#"{{"type":"error","error":{{"type":"request_too_large","message":"{TEXT}"}}}}"#)
    );
}

#[tokio::test]
async fn an_announced_body_is_refused_before_it_is_sent() {
    let mut connection = TcpStream::connect(LIMITED.kthena.address()).await.unwrap();
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n";
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 1024];
    let length = connection.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains(TEXT), "{answer}");
    until("the refusal to be counted", async || {
        let page = LIMITED.kthena.metrics().try_get("/metrics").await.ok()?;
        let line = r#"kthena_router_bound_exceeded_total{reason="body"} "#;
        page.text().lines().any(|known| known.strip_prefix(line).is_some_and(|count| count != "0")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_body_far_over_the_limit_leaves_the_next_request_alone() {
    let client = LIMITED.kthena.client();
    let large = chunks(&chat_of(5_000_000));
    // The answer comes while the body is still on its way: a client may see it, or a closed connection.
    if let Ok(answer) = client.try_post_chunks("/v1/chat/completions", &[], large).await {
        answer.assert_error(413, TEXT);
    }
    client.chat(MODEL).await.ok();
}
