//! The debug server, on a loopback port: what the router believes, what it decided and why, and a page that shows it.
//!
//! `/debug/config_dump/...` has upstream's shapes: `{"modelroutes": [{name, namespace, spec}]}`, `null` where
//! there is none. Errors are `{"error": "..."}`.

mod decisions;
mod dump;
mod endpoints;
mod explain;
mod feed;
mod guard;
mod log;
mod page;
mod pprof;
mod problems;

pub use guard::guard;
pub use log::Log;

use crate::picker::Picker;
use arc_swap::ArcSwap;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing::get};
use kthena_crds::{Problem, Resources};
use serde_json::json;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// What the debug server shows.
#[derive(Debug)]
pub struct Debug {
    /// The resources in force.
    pub resources: ArcSwap<Resources>,
    /// What is wrong with what users wrote, or served without.
    pub problems: ArcSwap<Vec<Problem>>,
    /// The picker.
    pub picker: Arc<Picker>,
    log: Option<Log>,
    /// Live feeds that may be open at once.
    feeds: Arc<Semaphore>,
    /// Profiles that may be taken at once.
    profiles: Semaphore,
}

impl Debug {
    /// A server that has nothing to show yet. Without a `log`, its filter cannot be changed.
    pub fn new(picker: Arc<Picker>, log: Option<Log>) -> Self {
        Self {
            resources: ArcSwap::default(),
            problems: ArcSwap::default(),
            picker,
            log,
            feeds: Arc::new(Semaphore::new(decisions::MOST_FEEDS)),
            profiles: Semaphore::new(1),
        }
    }

    /// The debug server's routes; serve them behind [`guard`].
    pub fn routes(self: Arc<Self>) -> Router {
        Router::new()
            .route("/debug/config_dump/{kind}", get(list))
            .route("/debug/config_dump/namespaces/{namespace}/{kind}/{name}", get(one))
            .route("/debug/decisions", get(decisions::latest))
            .route("/debug/decisions/stream", get(decisions::stream))
            .route("/debug/endpoints", get(endpoints::endpoints))
            .route("/debug/problems", get(problems::problems))
            .route("/debug/log", get(log::show).put(log::change))
            .route("/debug/pprof/", get(pprof::index))
            .route("/debug/pprof/profile", get(pprof::cpu::profile))
            .route("/debug/pprof/heap", get(pprof::heap::profile))
            .with_state(self)
            .merge(page::routes())
    }
}

async fn list(State(debug): State<Arc<Debug>>, Path(kind): Path<String>) -> Response {
    let Some(kind) = dump::Kind::from_plural(&kind) else { return unknown_kind(&kind) };
    written(move || dump::list(&debug, kind)).await
}

async fn one(
    State(debug): State<Arc<Debug>>,
    Path((namespace, kind, name)): Path<(String, String, String)>,
) -> Response {
    let Some(kind) = dump::Kind::from_plural(&kind) else { return unknown_kind(&kind) };
    match dump::one(&debug, kind, &namespace, &name) {
        Ok(Some(object)) => body(object),
        Ok(None) => error(StatusCode::NOT_FOUND, format!("{} not found", kind.name())),
        Err(failure) => error(StatusCode::INTERNAL_SERVER_ERROR, failure.to_string()),
    }
}

/// The JSON that `write` makes; requests are decided on this runtime, and do not wait for megabytes of it.
async fn written(write: impl FnOnce() -> serde_json::Result<Vec<u8>> + Send + 'static) -> Response {
    match spawn_blocking(write).await {
        Ok(Ok(json)) => body(json),
        Ok(Err(failure)) => error(StatusCode::INTERNAL_SERVER_ERROR, failure.to_string()),
        Err(failure) => error(StatusCode::INTERNAL_SERVER_ERROR, failure.to_string()),
    }
}

fn body(json: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, "application/json")], json).into_response()
}

fn unknown_kind(kind: &str) -> Response {
    let known = dump::Kind::ALL.map(dump::Kind::plural).join(", ");
    error(StatusCode::NOT_FOUND, format!("unknown kind {kind}, expected one of {known}"))
}

fn error(status: StatusCode, error: String) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}
