//! Faults, armed by flag and by path, as a client with a socket sees them.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use hyper::{Method, StatusCode};
use kthena_simulator::{Manners, Options};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{DEADLINE, Running, quick};

const FAULTS: &str = "/simulator/faults";

async fn with(fault: &str) -> Running {
    let manners = Manners { faults: vec![fault.parse().expect("a fault")], ..Manners::default() };
    Running::start(Options { manners, ..quick() }).await
}

/// Sends a chat on a connection of its own.
async fn ask(simulator: &Running, stream: bool) -> TcpStream {
    let body = json!({"messages": [{"role": "user", "content": "x"}], "stream": stream, "max_tokens": 5}).to_string();
    let mut connection = TcpStream::connect(simulator.address).await.expect("a connection");
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json";
    let request = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    connection.write_all(request.as_bytes()).await.expect("a sent request");
    connection
}

/// What comes until the connection ends, and how it ends.
async fn rest(connection: &mut TcpStream) -> (String, Option<ErrorKind>) {
    let mut bytes = Vec::new();
    let end = timeout(DEADLINE, connection.read_to_end(&mut bytes)).await.expect("an end");
    (String::from_utf8_lossy(&bytes).into_owned(), end.err().map(|error| error.kind()))
}

async fn seen(fault: &str, stream: bool) -> (String, Option<ErrorKind>) {
    let simulator = with(fault).await;
    let seen = rest(&mut ask(&simulator, stream).await).await;
    assert_eq!(simulator.get(FAULTS).await.json()[0]["struck"], 1);
    seen
}

#[tokio::test]
async fn before_an_answer_the_connection_is_closed_or_reset_or_gets_garbage() {
    assert_eq!(seen("close", false).await, (String::new(), None));
    assert_eq!(seen("reset", false).await, (String::new(), Some(ErrorKind::ConnectionReset)));
    let (garbage, end) = seen("garbage", true).await;
    assert!(!garbage.is_empty() && !garbage.contains("HTTP/1.1") && end.is_none(), "{garbage:?}");
}

#[tokio::test]
async fn in_mid_stream_as_many_events_pass_as_were_asked_for() {
    for (fault, kind) in [("close:after=3", None), ("reset:after=3", Some(ErrorKind::ConnectionReset))] {
        let (text, end) = seen(fault, true).await;
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        assert_eq!((text.matches("data: ").count(), end), (3, kind), "{text}");
        assert!(!text.contains("[DONE]"));
    }
}

#[tokio::test]
async fn a_stall_before_the_headers_or_in_mid_stream_goes_on_until_it_ends() {
    let simulator = with("stall:after=2,count=1").await;
    let mut stalled = ask(&simulator, true).await;
    let mut bytes = Vec::new();
    while String::from_utf8_lossy(&bytes).matches("data: ").count() < 2 {
        assert!(timeout(DEADLINE, stalled.read_buf(&mut bytes)).await.expect("events").expect("a connection") > 0);
    }
    // Others are served, and the stalled one still waits.
    simulator.post("/v1/completions", &json!({"prompt": "x"})).await;
    let _ = stalled.try_read_buf(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    assert_eq!((text.matches("data: ").count(), text.contains("[DONE]")), (2, false), "{text}");

    for fault in ["stall:for=1ms,count=1", "stall:for=1ms,after=2,count=1"] {
        let simulator = with(fault).await;
        let body = json!({"messages": [{"role": "user", "content": "x"}], "stream": true, "max_tokens": 5});
        assert_eq!(simulator.post("/v1/chat/completions", &body).await.events().len(), 6, "{fault}");
    }
}

#[tokio::test]
async fn an_answer_that_drips_is_whole() {
    let simulator = with("drip:bytes=7,every=100us").await;
    let body = json!({"messages": [{"role": "user", "content": "x"}], "max_tokens": 3});
    let whole = simulator.post("/v1/chat/completions", &body).await;
    assert!(whole.header("content-length").is_some());
    assert_eq!(whole.json()["usage"]["completion_tokens"], 3);
    let streamed = json!({"messages": [{"role": "user", "content": "x"}], "max_tokens": 3, "stream": true});
    assert_eq!(simulator.post("/v1/chat/completions", &streamed).await.events().len(), 4);
    // Each frame of the body is a chunk, with its size in hexadecimal before it.
    let mut connection = ask(&simulator, true).await;
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n0\r\n\r\n") {
        assert!(timeout(DEADLINE, connection.read_buf(&mut bytes)).await.expect("bytes").expect("a connection") > 0);
    }
    let sizes = chunk_sizes(&String::from_utf8(bytes).expect("text"));
    assert!(sizes.len() > 20 && sizes.iter().all(|size| (1..=7).contains(size)), "{sizes:?}");
}

/// The sizes of an answer's chunks, less that of the last, empty one.
fn chunk_sizes(answer: &str) -> Vec<usize> {
    let (_, mut body) = answer.split_once("\r\n\r\n").expect("a head");
    let mut sizes = Vec::new();
    loop {
        let (size, rest) = body.split_once("\r\n").expect("a size");
        let size = usize::from_str_radix(size, 16).expect("hexadecimal");
        if size == 0 {
            return sizes;
        }
        sizes.push(size);
        body = &rest[size + 2..];
    }
}

#[tokio::test]
async fn without_keep_alive_the_connection_ends_behind_its_answer_unannounced() {
    for stream in [true, false] {
        let (text, end) = seen("no-keep-alive", stream).await;
        assert!(text.starts_with("HTTP/1.1 200") && end.is_none(), "{text}");
        assert!(!text.to_lowercase().contains("connection: close"), "{text}");
        assert!(text.ends_with(if stream { "data: [DONE]\n\n\r\n0\r\n\r\n" } else { "}" }), "{text}");
    }
}

#[tokio::test]
async fn a_status_is_answered_in_the_shape_of_the_engine_as_often_as_asked() {
    let simulator = with("status:status=429,retry_after=2,count=1").await;
    let body = json!({"prompt": "x"});
    let post = || simulator.post("/v1/completions", &body);
    let refused = post().await;
    assert_eq!((refused.status, refused.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, Some("2")));
    assert_eq!(refused.json()["error"]["code"], 429);
    assert_eq!(post().await.status, StatusCode::OK);
    // A struck request was sent all the same.
    assert_eq!(simulator.get("/simulator/requests").await.json().as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn nobody_listens_until_the_refusal_is_cleared() {
    let simulator = Running::start(quick()).await;
    // A connection from before is the only way to clear it: new ones are refused.
    let mut before = TcpStream::connect(simulator.address).await.expect("a connection");
    simulator.post(FAULTS, &json!({"kind": "refuse"})).await;
    connects(&simulator, false).await;
    before.write_all(b"DELETE /simulator/faults HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("a sent request");
    connects(&simulator, true).await;
    assert_eq!(simulator.get("/health").await.status, StatusCode::OK);
}

/// Tries until somebody listens, or nobody.
async fn connects(simulator: &Running, expected: bool) {
    let start = Instant::now();
    loop {
        let outcome = TcpStream::connect(simulator.address).await;
        if let Err(error) = &outcome {
            // A connection from before the port closed is reset.
            let kind = error.kind();
            assert!(matches!(kind, ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset), "{kind}");
        }
        if outcome.is_ok() == expected {
            return;
        }
        assert!(start.elapsed() < DEADLINE, "still {outcome:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn faults_are_armed_shown_and_cleared_by_path() {
    let simulator = Running::start(quick()).await;
    let both = json!([{"kind": "status", "path": "/health"}, {"kind": "close", "count": 0}]);
    let armed = simulator.post(FAULTS, &both).await.json();
    assert_eq!(armed[0], json!({"kind": "status", "path": "/health", "struck": 0}));
    assert_eq!(simulator.get("/health").await.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(simulator.get("/v1/models").await.status, StatusCode::OK);
    assert_eq!(simulator.get(FAULTS).await.json()[0]["struck"], 1);
    let cleared = simulator.send(Method::DELETE, FAULTS, &[], Bytes::new()).await;
    assert_eq!(cleared.status, StatusCode::NO_CONTENT);
    assert_eq!(simulator.get("/health").await.status, StatusCode::OK);
    assert_eq!(simulator.get(FAULTS).await.json(), json!([]));
}

#[tokio::test]
async fn what_makes_no_fault_is_refused_and_changes_nothing() {
    let simulator = Running::start(quick()).await;
    let refused = async |body: Value| {
        let answer = simulator.post(FAULTS, &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        answer.json()["error"]["message"].as_str().expect("text").to_owned()
    };
    let unknown = refused(json!([{"kind": "close"}, {"kind": "explode"}])).await;
    assert!(unknown.contains("unknown variant `explode`, expected one of `refuse`"), "{unknown}");
    let foreign = refused(json!({"kind": "close", "status": 500})).await;
    assert_eq!(foreign, "status: close takes after, path, share, count");
    assert_eq!(simulator.get(FAULTS).await.json(), json!([]));
}
