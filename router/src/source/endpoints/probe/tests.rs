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
            found.map_or((StatusCode::NOT_FOUND, "<html>"), |(_, body)| (StatusCode::OK, *body))
        };
        tokio::spawn(axum::serve(listener, Router::new().fallback(answer)).into_future());
        Self { port, paths }
    }

    fn probe(&self, key: Option<&str>) -> Probe {
        let endpoint = format!("http://localhost:{}", self.port).parse().unwrap();
        let key = key.map(|key| HeaderValue::from_str(key).unwrap());
        // However busy the machine is.
        Probe { patience: Duration::from_secs(60), ..Probe::new(endpoint, key) }
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
        let found = engine.probe(None).ask(None).await.unwrap();
        assert_eq!((found.kind, found.address.port()), (kind, engine.port));
        assert_eq!(engine.paths(), asked);
    }
}

#[tokio::test]
async fn the_kind_is_not_asked_for_again_while_the_models_stay() {
    let engine = Asked::serving(None, &[("/v1/models", LIST)]).await;
    let mut known = engine.probe(None).ask(None).await.unwrap();
    engine.paths();
    assert_eq!(engine.probe(None).ask(Some(&known)).await.as_ref(), Ok(&known));
    assert_eq!(engine.paths(), ["/v1/models"]);
    known.models.clear();
    engine.probe(None).ask(Some(&known)).await.unwrap();
    assert!(engine.paths().len() > 1);
}

#[tokio::test]
async fn an_engine_with_a_key_is_asked_with_it() {
    let engine = Asked::serving(Some("Bearer sesame"), &[("/v1/models", LIST), ("/metrics", "vllm:x 1")]).await;
    assert_eq!(engine.probe(None).ask(None).await, Err(Trouble::Key(401)));
    let found = engine.probe(Some("Bearer sesame")).ask(None).await.unwrap();
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
        assert_eq!(engine.probe(None).ask(None).await.unwrap_err().to_string(), told);
    }
}
