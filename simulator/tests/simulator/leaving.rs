//! How it ends: with an error, at once or when its time is over; and TLS.

use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Bytes;
use kthena_simulator::{Manners, Options, Tls};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{DEADLINE, Running, quick, stuck};

const MESSAGE: &str = "EngineCore encountered an issue. See stack trace (above) for the root cause.";

#[tokio::test]
async fn an_error_event_ends_a_stream_as_a_dying_engine_does_and_a_whole_answer_is_the_error() {
    let fault = "error:after=2".parse().expect("a fault");
    let simulator =
        Running::start(Options { manners: Manners { faults: vec![fault], ..Manners::default() }, ..quick() }).await;
    let body = |stream: bool| json!({"model": "tiny", "messages": [{"role": "user", "content": "x"}], "stream": stream, "max_tokens": 5});
    let stream = simulator.post("/v1/chat/completions", &body(true)).await;
    let last = format!(
        "data: {{\"error\": {{\"message\": \"{MESSAGE}\", \"type\": \"InternalServerError\", \"param\": null, \"code\": \
         500}}}}\n\ndata: [DONE]\n\n"
    );
    assert_eq!(stream.status, StatusCode::OK);
    assert!(stream.text().ends_with(&last) && stream.text().matches("data: ").count() == 4, "{}", stream.text());
    let stream = simulator.post("/v1/messages", &body(true)).await;
    assert!(stream.text().contains("event: error\ndata: {\"type\":\"error\","), "{}", stream.text());
    let whole = simulator.post("/v1/chat/completions", &body(false)).await;
    assert_eq!((whole.status.as_u16(), whole.json()["error"]["message"].as_str()), (500, Some(MESSAGE)));
    // The streams were let go; the whole answer was made before it was withheld.
    simulator.reaches((0, 1)).await;
}

#[tokio::test]
async fn with_time_to_end_it_refuses_what_is_new_and_leaves_hanging_what_is_not_done() {
    let simulator = Running::start(Options { shutdown_timeout: Duration::from_millis(400), ..stuck() }).await;
    let address = simulator.address;
    let request = |body: &str| {
        let head = "POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json";
        Bytes::from(format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
    };
    let mut hanging = TcpStream::connect(address).await.expect("a connection");
    hanging.write_all(&request(r#"{"prompt":"x","stream":true}"#)).await.expect("a sent request");
    simulator.reaches((1, 0)).await;
    let mut late = TcpStream::connect(address).await.expect("a connection");
    let server = simulator.stop_soon();
    let mut text = String::new();
    while !text.contains("cannot schedule new futures after shutdown") {
        late.write_all(&request(r#"{"prompt":"x","max_tokens":1}"#)).await.expect("open");
        let mut bytes = [0; 4096];
        match timeout(Duration::from_millis(100), late.read(&mut bytes)).await {
            Ok(read) => text.push_str(&String::from_utf8_lossy(&bytes[..read.expect("an answer")])),
            // It was a moment too early, and waits for its token for ever.
            Err(_) => late = TcpStream::connect(address).await.expect("the port is open"),
        }
    }
    assert!(text.starts_with("HTTP/1.1 500"), "{text}");
    drop(late);
    while TcpStream::connect(address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut bytes = Vec::new();
    while timeout(Duration::from_millis(300), hanging.read_buf(&mut bytes)).await.is_ok() {}
    assert!(!server.is_finished(), "it waits for its clients");
    drop(hanging);
    timeout(DEADLINE, server).await.expect("the end").expect("no panic").expect("no error");
}

#[tokio::test]
async fn tls_that_cannot_be_spoken_is_refused_by_its_flag() {
    let missing = Tls { tls_cert: Some("/no/such".into()), tls_key: Some("/no/such".into()), ..Tls::default() };
    let error = kthena_simulator::Simulator::bind(Options { tls: missing, ..quick() }).await.expect_err("no file");
    assert!(format!("{error:#}").starts_with("--tls-cert /no/such: certificates as PEM are needed"), "{error:#}");
}
