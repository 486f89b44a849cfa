use super::*;
use axum::Router;
use axum::http::{HeaderMap, Uri};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

const LIST: &str = r#"{"data":[{"id":"m","owned_by":"someone"}]}"#;

/// An engine with these answers by path, all others 404; with the paths that it was asked for.
struct Asked {
    port: u16,
    paths: Arc<Mutex<Vec<String>>>,
}

impl Asked {
    async fn serving(key: Option<&'static str>, answers: &'static [(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let paths = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&paths);
        let answer = move |uri: Uri, headers: HeaderMap| async move {
            seen.lock().unwrap().push(uri.path().to_owned());
            assert_eq!(headers[header::HOST], format!("localhost:{port}"));
            if key != headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap()) {
                return (StatusCode::UNAUTHORIZED, r#"{"error":"Unauthorized"}"#);
            }
            let found = answers.iter().find(|(path, _)| *path == uri.path());
            let status = |body: &str| if body == "503" { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
            found.map_or((StatusCode::NOT_FOUND, "<html>"), |(_, body)| (status(body), *body))
        };
        tokio::spawn(axum::serve(listener, Router::new().fallback(answer)).into_future());
        Self { port, paths }
    }

    fn probe(&self, key: Option<&str>) -> Probe {
        let endpoint = format!("http://localhost:{}", self.port).parse().unwrap();
        let key = key.map(|key| HeaderValue::from_str(key).unwrap());
        // However busy the machine is.
        Probe { patience: Duration::from_secs(60), ..Probe::new(endpoint, key, None) }
    }

    fn paths(&self) -> Vec<String> {
        std::mem::take(&mut self.paths.lock().unwrap())
    }
}

#[tokio::test]
async fn the_kind_is_asked_for_in_turn_until_something_tells_it() {
    for (answers, kind, asked) in [
        (&[("/v1/models", LIST), ("/metrics", "vllm:x 1")][..], Kind::Vllm, &["/v1/models", "/metrics"][..]),
        (
            &[("/v1/models", LIST), ("/get_model_info", r#"{"model_path":"m"}"#)],
            Kind::Sglang,
            &["/v1/models", "/metrics", "/get_model_info"],
        ),
        (
            &[("/v1/models", LIST), ("/metrics", "llamacpp:x 1")],
            Kind::Other,
            &["/v1/models", "/metrics", "/get_model_info", "/version"],
        ),
        (&[("/v1/models", r#"{"data":[{"id":"m","owned_by":"sglang"}]}"#)], Kind::Sglang, &["/v1/models", "/metrics"]),
    ] {
        let engine = Asked::serving(None, answers).await;
        let found = engine.probe(None).ask().await.unwrap();
        assert_eq!((found.kind, found.address.port()), (kind, engine.port));
        assert_eq!(engine.paths(), asked);
    }
}

#[tokio::test]
async fn the_kind_is_not_asked_for_again_while_the_models_stay() {
    let engine = Asked::serving(None, &[("/v1/models", LIST)]).await;
    let mut probe = engine.probe(None);
    let known = probe.ask().await;
    engine.paths();
    assert_eq!(probe.ask().await, known);
    assert_eq!(engine.paths(), ["/v1/models"]);
    probe.known.as_mut().unwrap().models.clear();
    assert_eq!(probe.ask().await, known);
    assert!(engine.paths().len() > 1);
}

#[tokio::test]
async fn an_engine_with_a_key_is_asked_with_it() {
    let engine = Asked::serving(Some("Bearer sesame"), &[("/v1/models", LIST), ("/metrics", "vllm:x 1")]).await;
    assert_eq!(engine.probe(None).ask().await, Err(Trouble::Key(401)));
    let found = engine.probe(Some("Bearer sesame")).ask().await.unwrap();
    assert_eq!((found.kind, found.models.len()), (Kind::Vllm, 1));
}

#[tokio::test]
async fn what_came_instead_of_models_is_told() {
    for (answers, told) in [
        (&[][..], "GET /v1/models answered 404 Not Found (text/plain): not an OpenAI-compatible engine"),
        (
            &[("/v1/models", "<html>")],
            "GET /v1/models answered 200 OK (text/plain) without a list of models: not an OpenAI-compatible engine",
        ),
        (&[("/v1/models", r#"{"data":[]}"#)], "serves no model yet"),
        (
            &[("/v1/models", r#"{"data":[{"id":"m","owned_by":"kthena"}]}"#)],
            "a Kthena router, not an engine; give the engines behind it",
        ),
    ] {
        let engine = Asked::serving(None, answers).await;
        assert_eq!(engine.probe(None).ask().await.unwrap_err().to_string(), told);
    }
}

#[tokio::test]
async fn after_a_failure_its_address_is_remembered_and_its_kind_asked_for_again() {
    let engine = Asked::serving(None, &[("/v1/models", LIST), ("/metrics", "vllm:x 1")]).await;
    let mut probe = engine.probe(None);
    let known = probe.ask().await.unwrap();
    probe.endpoint = "http://localhost:1".parse().unwrap();
    probe.ask().await.unwrap_err();
    assert_eq!(probe.known.as_ref(), Some(&known));
    engine.paths();
    probe.endpoint = format!("http://localhost:{}", engine.port).parse().unwrap();
    assert_eq!(probe.ask().await, Ok(known));
    assert_eq!(engine.paths(), ["/v1/models", "/metrics"]);
}

#[tokio::test]
async fn a_kind_that_nobody_told_is_asked_for_again_and_changes_none_that_was_told() {
    // Its other pages fail; a status that a body names is its answer.
    let engine = Asked::serving(None, &[("/v1/models", LIST), ("/metrics", "503"), ("/version", "503")]).await;
    let mut probe = engine.probe(None);
    for _ in 0..2 {
        assert_eq!(probe.ask().await.unwrap().kind, Kind::Other);
        assert_eq!(engine.paths(), ["/v1/models", "/metrics", "/get_model_info", "/version"]);
    }
    probe.known.as_mut().unwrap().kind = Kind::Sglang;
    assert_eq!(probe.ask().await.unwrap().kind, Kind::Sglang);
}

#[tokio::test]
async fn a_host_that_takes_no_connection_is_not_busy() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let full = socket.listen(1).unwrap();
    let address = full.local_addr().unwrap();
    // The first of these are never accepted: for all that follow there is no room, and their packets are dropped.
    let mut held: Vec<_> = (0..16).map(|_| Box::pin(TcpStream::connect(address))).collect();
    for connection in &mut held {
        let _ = futures::poll!(connection);
    }
    let endpoint = format!("http://{address}").parse().unwrap();
    let mut probe = Probe { patience: Duration::from_millis(100), ..Probe::new(endpoint, None, None) };
    assert_eq!(probe.ask().await, Err(Trouble::Connection(NO_CONNECTION.to_owned())));

    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    probe.endpoint = format!("http://{}", silent.local_addr().unwrap()).parse().unwrap();
    assert_eq!(probe.ask().await, Err(Trouble::Timeout(probe.patience)));
}
