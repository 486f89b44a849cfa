//! `/simulator/*`: what a test or a curious user asks the simulator about itself. Not vLLM's.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;

use super::App;
use crate::received::Shown;

/// The body of `GET /simulator/state`.
#[derive(Debug, Serialize)]
pub struct Inspection {
    name: String,
    models: Vec<String>,
    loras: Vec<String>,
    /// Requests that are generating now.
    running: u64,
    /// Requests that got all their tokens.
    served: u64,
}

pub async fn state(State(app): State<Arc<App>>) -> Json<Inspection> {
    Json(Inspection {
        name: app.name.clone(),
        models: app.catalog.served().map(str::to_owned).collect(),
        loras: app.catalog.adapters().into_iter().map(|adapter| adapter.name).collect(),
        running: app.engine.running(),
        served: app.engine.served(),
    })
}

pub async fn requests(State(app): State<Arc<App>>) -> Json<Vec<Shown>> {
    Json(app.recorder.shown())
}

pub async fn clear(State(app): State<Arc<App>>) -> StatusCode {
    app.recorder.clear();
    StatusCode::NO_CONTENT
}
