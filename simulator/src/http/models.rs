//! `GET /v1/models`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::{App, unix_now};
use crate::wire::models::{ModelCard, ModelList, Stamp};

pub async fn list(State(app): State<Arc<App>>) -> Json<ModelList> {
    let created = unix_now();
    let catalog = &app.catalog;
    let served = catalog.served().map(|name| {
        let id = app.next_id();
        let stamp = Stamp { created, id: &id };
        ModelCard::served(name, catalog.main(), app.engine.max_model_len(), stamp)
    });
    let adapters = catalog.adapters();
    let adapters = adapters.iter().map(|adapter| {
        let id = app.next_id();
        let stamp = Stamp { created, id: &id };
        ModelCard::adapter(&adapter.name, &adapter.path, catalog.main(), stamp)
    });
    Json(ModelList::new(served.chain(adapters).collect()))
}
