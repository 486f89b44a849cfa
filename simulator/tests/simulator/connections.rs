//! Clients that go away, many at once, and the end of the simulator.

use std::time::Duration;

use futures::future::join_all;
use hyper::StatusCode;
use kthena_simulator::Options;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{DEADLINE, Running, quick, stuck};

const CHAT: &str = "/v1/chat/completions";

/// Sends a request for a chat by hand, so that the connection is the test's own.
async fn ask(simulator: &Running, stream: bool) -> TcpStream {
    let body =
        json!({"messages": [{"role": "user", "content": "x"}], "stream": stream, "max_tokens": 1000}).to_string();
    let request = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut connection = TcpStream::connect(simulator.address).await.expect("a connection");
    connection.write_all(request.as_bytes()).await.expect("a sent request");
    connection
}

async fn rest(mut connection: TcpStream) -> String {
    let mut text = String::new();
    timeout(DEADLINE, connection.read_to_string(&mut text)).await.expect("an end").expect("UTF-8");
    text
}

#[tokio::test]
async fn a_client_that_goes_away_before_the_first_token_frees_its_place() {
    let simulator = Running::start(stuck()).await;
    for stream in [true, false] {
        let connection = ask(&simulator, stream).await;
        simulator.reaches((1, 0)).await;
        drop(connection);
        simulator.reaches((0, 0)).await;
    }
}

#[tokio::test]
async fn a_client_that_goes_away_mid_stream_frees_its_place() {
    let tokens_without_end = Options { ttft: Duration::ZERO, tpot: Duration::from_secs(3600), speed: 1.0, ..quick() };
    let simulator = Running::start(tokens_without_end).await;
    let mut connection = ask(&simulator, true).await;
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("\"role\"") {
        let read = timeout(DEADLINE, connection.read_buf(&mut seen)).await;
        assert!(read.expect("an event").expect("a connection") > 0, "the stream ended early");
    }
    simulator.reaches((1, 0)).await;
    drop(connection);
    simulator.reaches((0, 0)).await;
}

#[tokio::test]
async fn stopping_ends_streams_with_an_error_event_and_done() {
    let simulator = Running::start(stuck()).await;
    let streaming = ask(&simulator, true).await;
    let waiting = ask(&simulator, false).await;
    simulator.reaches((2, 0)).await;
    let stopped = simulator.stop_soon();

    let streamed = rest(streaming).await;
    assert!(streamed.starts_with("HTTP/1.1 200"), "{streamed}");
    let error = "data: {\"error\": {\"message\": \"EngineCore encountered an issue.";
    assert!(streamed.contains(error), "{streamed}");
    assert!(streamed.contains("\"code\": 500}}\n\n"), "{streamed}");
    assert!(streamed.ends_with("data: [DONE]\n\n\r\n0\r\n\r\n"), "{streamed}");
    let whole = rest(waiting).await;
    assert!(whole.starts_with("HTTP/1.1 500"), "{whole}");
    stopped.await.expect("no panic").expect("no error");
}

#[tokio::test]
async fn a_stopped_simulator_leaves_its_port() {
    let simulator = Running::start(quick()).await;
    simulator.get("/health").await;
    let address = simulator.address;
    simulator.stop().await;
    let refused = TcpStream::connect(address).await.expect_err("nothing listens");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_time() {
    let simulator = Running::start(Options { keep_alive: Duration::from_millis(500), ..quick() }).await;
    let mut connection = TcpStream::connect(simulator.address).await.expect("a connection");
    connection.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
    let answer = rest(connection).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
}

#[tokio::test]
async fn a_thousand_streams_run_side_by_side() {
    let simulator = Running::start(quick()).await;
    let body = json!({"messages": [{"role": "user", "content": "x"}], "stream": true, "max_tokens": 5});
    let answers = join_all((0..1000).map(|_| simulator.post(CHAT, &body))).await;
    for answer in &answers {
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.events().len(), 6);
    }
    assert_eq!(simulator.load().await, (0, 1000));
}
