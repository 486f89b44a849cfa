//! Clients that take their time: none holds a connection, a buffer or an engine for ever.

use kthena_e2e::{Loopback, Plane, Setup, manifests};
use kthena_envoy::{Capacity, Patience, Settings};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OnceCell, oneshot};
use tokio::time::{Instant, interval, timeout};

const SHORT: Duration = Duration::from_secs(1);

/// Far above what is short here, and below what it is otherwise.
const SOON: Duration = Duration::from_secs(20);

/// An Envoy, and the engine behind it, which a test plays.
struct Slow {
    plane: Plane,
    engine: std::net::TcpListener,
    _address: Loopback,
}

/// One for all tests but that of silence: an Envoy takes its time to start.
static IMPATIENT: OnceCell<Slow> = OnceCell::const_new();

async fn impatient() -> &'static Slow {
    let patience = Patience { headers: SHORT, request: SHORT, connection_idle: SHORT };
    IMPATIENT.get_or_init(|| Slow::start(Settings { patience, ..Settings::default() })).await
}

// === impl Slow ===

impl Slow {
    async fn start(settings: Settings) -> Self {
        let address = Loopback::claim(&[8000]);
        let engine = std::net::TcpListener::bind(address.at(8000)).expect("a free address");
        engine.set_nonblocking(true).expect("a socket");
        let all = manifests::route("m", "m", &[("m", 100)])
            + &manifests::server("m", "m", "")
            + &manifests::pod("m-0", "m", &address.ip().to_string());
        let capacity = Capacity { heap: 4 << 30, connections: 10_000 };
        Self { plane: Plane::bounded(&all, capacity, settings).await, engine, _address: address }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.plane.client().address()).await.expect("a connection")
    }

    /// Takes connections as the engine, for one test.
    fn engine(&self) -> TcpListener {
        TcpListener::from_std(self.engine.try_clone().expect("a socket")).expect("a socket")
    }
}

/// All that comes until the other side closes.
async fn rest(connection: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = timeout(SOON, connection.read_to_end(&mut answer)).await.expect("the connection is closed");
    let _ = read;
    String::from_utf8_lossy(&answer).into_owned()
}

fn chat() -> String {
    let body = r#"{"model":"m","messages":[]}"#;
    format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

async fn read_request(connection: &mut TcpStream) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"]}") {
        connection.read_buf(&mut request).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_body_that_comes_byte_by_byte_gets_408_when_the_time_is_over() {
    let slow = impatient().await;
    let mut client = slow.connect().await;
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    let (mut reader, mut writer) = client.split();
    let drip = async {
        let mut pace = interval(Duration::from_millis(50));
        while writer.write_all(b" ").await.is_ok() {
            pace.tick().await;
        }
    };
    let mut answer = vec![0; 4096];
    let length = tokio::select! {
        length = timeout(SOON, reader.read(&mut answer)) => length.expect("an answer").unwrap(),
        () = drip => panic!("closed without an answer"),
    };
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains(r#""code":"request_timeout""#) && answer.contains("took too long to arrive"), "{answer}");
}

#[tokio::test]
async fn headers_that_do_not_end_get_408() {
    let slow = impatient().await;
    let mut client = slow.connect().await;
    client.write_all(b"POST /v1/chat/completions HTTP/1.1\r\nhost: ").await.unwrap();
    let answer = rest(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains(r#""code":"request_timeout""#), "{answer}");
}

#[tokio::test]
async fn what_the_engine_takes_is_not_the_client_s_time() {
    let slow = impatient().await;
    let engine = slow.engine();
    let mut client = slow.connect().await;
    client.write_all(chat().as_bytes()).await.unwrap();
    let (mut upstream, _) = engine.accept().await.unwrap();
    read_request(&mut upstream).await.unwrap();
    tokio::time::sleep(2 * SHORT).await;
    upstream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
    let mut answer = vec![0; 1024];
    let length = timeout(SOON, client.read(&mut answer)).await.expect("an answer").unwrap();
    assert!(answer[..length].starts_with(b"HTTP/1.1 200 OK"), "{}", String::from_utf8_lossy(&answer[..length]));
}

#[tokio::test]
async fn a_client_that_never_reads_holds_the_engine_for_the_idle_time_only_and_little_memory() {
    let slow = Slow::start(Settings { stream_idle_timeout: SHORT, ..Settings::default() }).await;
    let engine = slow.engine();
    let (ended, told) = oneshot::channel();
    let answering = tokio::spawn(async move {
        let (mut upstream, _) = engine.accept().await?;
        read_request(&mut upstream).await?;
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        upstream.write_all(head).await?;
        let event = format!("data: {}\n\n", "x".repeat(1000));
        let chunk = format!("{:x}\r\n{event}\r\n", event.len());
        let mut sent = 0_usize;
        while upstream.write_all(chunk.as_bytes()).await.is_ok() {
            sent += chunk.len();
        }
        let _ = ended.send(sent);
        io::Result::Ok(())
    });
    let socket = TcpSocket::new_v4().unwrap();
    // Else the kernel takes megabytes of what nobody reads.
    socket.set_recv_buffer_size(4096).unwrap();
    let mut client = socket.connect(slow.plane.client().address()).await.unwrap();
    let begun = Instant::now();
    client.write_all(chat().as_bytes()).await.unwrap();
    let sent = timeout(SOON, told).await.expect("the engine is let go").expect("it says what it sent");
    assert!(begun.elapsed() >= SHORT, "it had its time: {:?}", begun.elapsed());
    assert!(sent < 16 << 20, "most of it waits in the engine: {sent}");
    answering.await.unwrap().unwrap();
    let stats = slow.plane.admin().get("/stats?filter=downstream_rq_idle_timeout").await;
    assert!(stats.text().contains("http.kthena.downstream_rq_idle_timeout: 1"), "{}", stats.text());
}

#[tokio::test]
async fn a_client_that_falls_silent_in_its_upload_is_told_so_and_no_pod_is_blamed() {
    let all = manifests::route("m", "m", &[("m", 100)]) + &manifests::server("m", "m", "");
    let kthena = Setup::new(&[("all.yaml", &all)])
        .config("dataPlane:\n  streamIdleTimeout: 1s\n")
        .env("ACCESS_LOG_FORMAT", "json")
        .up();
    for (path, shape) in
        [("/v1/chat/completions", r#""code":"request_timeout""#), ("/v1/messages", r#""type":"error""#)]
    {
        let mut client = TcpStream::connect(kthena.client().address()).await.unwrap();
        let mark = kthena.output.lines().len();
        let half = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{{\"model\":\"m\"");
        client.write_all(half.as_bytes()).await.unwrap();
        let mut answer = vec![0; 4096];
        let length = timeout(SOON, client.read(&mut answer)).await.expect("an answer").unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
        let told = "request took too long to arrive (stream_idle_timeout)";
        assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains(told) && answer.contains(shape), "{answer}");
        let line = kthena.line(mark, "its access log", |line| line.contains("stream_idle_timeout")).await;
        let logged: serde_json::Value = serde_json::from_str(&line).expect("a line of JSON");
        assert_eq!(
            (&logged["status_code"], &logged["error"]["type"]),
            (&408.into(), &"request_parsing".into()),
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_connection_that_asks_nothing_is_closed() {
    let slow = impatient().await;
    let mut client = slow.connect().await;
    assert_eq!(rest(&mut client).await, "");
}
