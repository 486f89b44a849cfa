//! The page that people open: endpoints, routes, live decisions, problems. It reads the same JSON as everyone.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::{Router, routing::get};

const HTML: &str = include_str!("page/page.html");
const CSS: &str = include_str!("page/page.css");
const JS: &str = include_str!("page/page.js");

/// The page at `/` and `/debug/`, and what it is made of.
pub(super) fn routes() -> Router {
    let file = |kind: &'static str, text: &'static str| {
        // A newer binary brings a newer page.
        get(move || async move { ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], text).into_response() })
    };
    let html = file("text/html; charset=utf-8", HTML);
    Router::new()
        .route("/", html.clone())
        .route("/debug/", html)
        .route("/debug/page.css", file("text/css; charset=utf-8", CSS))
        .route("/debug/page.js", file("text/javascript; charset=utf-8", JS))
}
