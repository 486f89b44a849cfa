//! What comes before every path: the key, and the request's id on its answer.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::App;
use crate::options::Face;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// vLLM guards these and leaves the rest open, also paths that generate.
const GUARDED_BY_VLLM: [&str; 4] = ["/v1", "/v2", "/inference", "/cohere"];
/// SGLang leaves these open and guards the rest.
const OPEN_IN_SGLANG: [&str; 3] = ["/health", "/ready", "/metrics"];

/// The middleware behind the recorder.
pub async fn pass(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let id = app.request_ids.then(|| match request.headers().get(REQUEST_ID) {
        Some(given) => given.clone(),
        // Hex digits always make a header value.
        None => HeaderValue::from_str(&app.next_id()).unwrap_or(HeaderValue::from_static("-")),
    });
    let mut response = match &app.api_key {
        Some(key) if guards(&app, &request) && !carries(request.headers(), key) => {
            (StatusCode::UNAUTHORIZED, Json(json!({"error": "Unauthorized"}))).into_response()
        }
        _ => next.run(request).await,
    };
    if let Some(id) = id {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

fn guards(app: &App, request: &Request) -> bool {
    let path = request.uri().path();
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| path.starts_with(prefix));
    let guarded = match app.face {
        Face::Vllm => begins(&GUARDED_BY_VLLM),
        Face::Sglang => !begins(&OPEN_IN_SGLANG) && !path.starts_with("/simulator/"),
    };
    guarded && request.method() != Method::OPTIONS
}

fn carries(headers: &HeaderMap, key: &str) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.split_once(' '));
    given.is_some_and(|(scheme, given)| scheme.eq_ignore_ascii_case("bearer") && given == key)
}
