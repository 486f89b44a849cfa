//! A running simulator and a client for it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kthena_simulator::{Options, Simulator};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Long enough for a busy machine; no test waits it out.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A simulator on a free port; it ends with this value.
pub struct Running {
    pub address: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
    shutdown: oneshot::Sender<()>,
    server: JoinHandle<anyhow::Result<()>>,
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Quick, on a free port, with an alias and an adapter.
pub fn quick() -> Options {
    Options {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        models: vec!["tiny".into(), "tiny-alias".into()],
        loras: vec!["lora-a".into()],
        speed: 1000.0,
        ..Options::default()
    }
}

/// As [`quick`], but the first token never comes.
pub fn stuck() -> Options {
    Options { ttft: Duration::from_secs(3600), speed: 1.0, ..quick() }
}

// === impl Running ===

impl Running {
    pub async fn start(options: Options) -> Self {
        let simulator = Simulator::bind(options).await.expect("a free port");
        let (shutdown, stopped) = oneshot::channel();
        Self {
            address: simulator.local_addr(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            shutdown,
            server: tokio::spawn(simulator.serve(async {
                let _ = stopped.await;
            })),
        }
    }

    /// Ends it as SIGTERM would, and waits until it has.
    pub async fn stop(self) {
        let _ = self.shutdown.send(());
        self.server.await.expect("no panic").expect("no error");
    }

    /// Tells it to end, without waiting.
    pub fn stop_soon(self) -> JoinHandle<anyhow::Result<()>> {
        let _ = self.shutdown.send(());
        self.server
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], Bytes::new()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_with(path, &[], body).await
    }

    pub async fn post_with(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let headers = [&[("content-type", "application/json")], headers].concat();
        self.send(Method::POST, path, &headers, body.to_string().into()).await
    }

    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Bytes) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).expect("a valid request");
        let response = self.client.request(request).await.expect("an answer");
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        Answer { status: head.status, headers: head.headers, body }
    }

    /// `running` and `served` of the state.
    pub async fn load(&self) -> (u64, u64) {
        let state = self.get("/simulator/state").await.json();
        let count = |name: &str| state[name].as_u64().expect(name);
        (count("running"), count("served"))
    }

    /// Asks for the state until it is as expected.
    pub async fn reaches(&self, expected: (u64, u64)) {
        let start = Instant::now();
        loop {
            let load = self.load().await;
            if load == expected {
                return;
            }
            assert!(start.elapsed() < DEADLINE, "(running, served) is {load:?}, not {expected:?}");
        }
    }
}

// === impl Answer ===

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("ASCII"))
    }

    /// The events of a stream that ended well: all but `[DONE]`, which must be the last.
    pub fn events(&self) -> Vec<Value> {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("text/event-stream; charset=utf-8"));
        let text = self.text().strip_suffix("data: [DONE]\n\n").expect("[DONE] at the end");
        let frames = text.split_terminator("\n\n");
        frames
            .map(|frame| frame.strip_prefix("data: ").expect("only data"))
            .map(|json| serde_json::from_str(json).expect("JSON"))
            .collect()
    }
}
