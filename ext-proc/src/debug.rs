//! `/debug/config_dump/...`: what the router believes, as JSON, on a loopback port.
//!
//! Shapes are upstream's: `{"modelroutes": [{name, namespace, spec}]}`, `null` where there is none.

mod dump;

use crate::picker::Picker;
use arc_swap::ArcSwap;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing::get};
use kthena_crds::Resources;
use serde_json::{Value, json};
use std::sync::Arc;

/// What the debug server shows.
#[derive(Debug)]
pub struct Debug {
    /// The resources in force.
    pub resources: ArcSwap<Resources>,
    /// The picker.
    pub picker: Arc<Picker>,
}

impl Debug {
    /// The debug server's routes.
    pub fn routes(self: Arc<Self>) -> Router {
        Router::new()
            .route("/debug/config_dump/{kind}", get(list))
            .route("/debug/config_dump/namespaces/{namespace}/{kind}/{name}", get(one))
            .with_state(self)
    }
}

async fn list(State(debug): State<Arc<Debug>>, Path(kind): Path<String>) -> Response {
    let Some(kind) = dump::Kind::from_plural(&kind) else { return unknown_kind(&kind) };
    let objects = dump::list(&debug, kind);
    let objects = if objects.is_empty() { Value::Null } else { Value::Array(objects) };
    Json(json!({ kind.plural(): objects })).into_response()
}

async fn one(
    State(debug): State<Arc<Debug>>,
    Path((namespace, kind, name)): Path<(String, String, String)>,
) -> Response {
    let Some(kind) = dump::Kind::from_plural(&kind) else { return unknown_kind(&kind) };
    match dump::one(&debug, kind, &namespace, &name) {
        Some(object) => Json(object).into_response(),
        None => not_found(format!("{} not found", kind.name())),
    }
}

fn unknown_kind(kind: &str) -> Response {
    not_found(format!("unknown kind {kind}, expected one of {}", dump::Kind::ALL.map(dump::Kind::plural).join(", ")))
}

fn not_found(error: String) -> Response {
    (StatusCode::NOT_FOUND, Json(json!({ "error": error }))).into_response()
}
