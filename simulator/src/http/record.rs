//! Reads every request to its end, remembers it, and signs every answer.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::App;
use super::failure::Failure;
use crate::received::{BodyDigest, Received};

/// Who answered.
const NAME: HeaderName = HeaderName::from_static("x-simulator");
/// Asks for the two below, with the value 1.
const ECHO: HeaderName = HeaderName::from_static("x-simulator-echo");
const RECEIVED_BYTES: HeaderName = HeaderName::from_static("x-simulator-received-bytes");
const RECEIVED_SHA256: HeaderName = HeaderName::from_static("x-simulator-received-sha256");

/// Well above the 64 MiB that the router lets through, so that its limit is the one that is met.
const MAX_BODY_BYTES: usize = 256 * 1024 * 1024;

/// The middleware around all paths.
pub async fn record(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
        // Too large, or the client is gone and will not see this.
        return signed(&app, Failure::BODY_TOO_LARGE.into_response());
    };
    let echo = head.headers.get(ECHO).is_some_and(|value| value == "1");
    let mut digest = None;
    if !is_poll(head.uri.path()) {
        let received = Received::new(&head, &body);
        digest = echo.then(|| received.digest().clone());
        app.recorder.record(received);
    }
    let mut response = next.run(Request::from_parts(head, Body::from(body))).await;
    if let Some(digest) = digest {
        insert_digest(response.headers_mut(), &digest);
    }
    signed(&app, response)
}

/// Asked again and again, these would push out what one looks for.
pub fn is_poll(path: &str) -> bool {
    path == "/health" || path == "/health_generate" || path == "/metrics" || path.starts_with("/simulator/")
}

fn signed(app: &App, mut response: Response) -> Response {
    response.headers_mut().insert(NAME, app.name_header.clone());
    response
}

fn insert_digest(headers: &mut HeaderMap, digest: &BodyDigest) {
    headers.insert(RECEIVED_BYTES, HeaderValue::from(digest.bytes));
    // Hex digits always make a header value.
    if let Ok(sha256) = HeaderValue::from_str(&digest.sha256) {
        headers.insert(RECEIVED_SHA256, sha256);
    }
}
