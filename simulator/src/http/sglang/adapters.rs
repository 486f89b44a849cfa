//! `POST /load_lora_adapter` and `POST /unload_lora_adapter`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use serde::Serialize;
use tracing::info;

use super::super::App;
use super::super::failure::Failure;
use super::super::fields::{self, Fields};
use crate::catalog::{Adapter, Refusal};

/// What both calls answer.
#[derive(Debug, Serialize)]
pub struct Updated {
    success: bool,
    error_message: Option<String>,
    /// Paths by name; none after a failure.
    loaded_adapters: Option<BTreeMap<String, String>>,
}

type Answer = Result<(StatusCode, Json<Updated>), Failure>;

pub async fn load(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Answer {
    let object = fields::object(&headers, &body).map_err(Failure::on_sglang)?;
    let mut fields = Fields::new(&object);
    let name = fields.required_string("lora_name").unwrap_or_default().to_owned();
    let path = fields.required_string("lora_path").unwrap_or_default().to_owned();
    fields.finish().map_err(Failure::on_sglang)?;
    if app.is_missing(&path) {
        let message = format!("Failed to load LoRA adapter {name}: {path} does not exist");
        return Ok((StatusCode::BAD_REQUEST, Json(Updated::failure(message))));
    }
    let refusal = app.catalog.load(Adapter { name: name.clone(), path }, false).err();
    if refusal.is_none() {
        app.engine.load_adapter(&name);
        info!(name, "loaded a LoRA adapter");
    }
    Ok(app.updated(refusal, &name))
}

pub async fn unload(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Answer {
    let object = fields::object(&headers, &body).map_err(Failure::on_sglang)?;
    let mut fields = Fields::new(&object);
    let name = fields.required_string("lora_name").unwrap_or_default().to_owned();
    fields.finish().map_err(Failure::on_sglang)?;
    let refusal = app.catalog.unload(&name).err();
    if refusal.is_none() {
        app.engine.unload_adapter(&name);
        info!(name, "unloaded a LoRA adapter");
    }
    Ok(app.updated(refusal, &name))
}

// === impl App ===

impl App {
    fn updated(&self, refusal: Option<Refusal>, name: &str) -> (StatusCode, Json<Updated>) {
        let adapters = self.catalog.adapters();
        let Some(refusal) = refusal else {
            let loaded = adapters.into_iter().map(|adapter| (adapter.name, adapter.path)).collect();
            let updated = Updated { success: true, error_message: None, loaded_adapters: Some(loaded) };
            return (StatusCode::OK, Json(updated));
        };
        let message = match refusal {
            Refusal::NotLoaded => {
                let names: Vec<String> = adapters.iter().map(|adapter| format!("'{}'", adapter.name)).collect();
                let names = names.join(", ");
                format!("LoRA with name {name} does not exist. Loaded LoRAs: odict_keys([{names}])")
            }
            Refusal::AlreadyLoaded | Refusal::NameOfModel => {
                format!("Failed to load LoRA adapter {name} because it is already loaded")
            }
        };
        (StatusCode::BAD_REQUEST, Json(Updated::failure(message)))
    }
}

// === impl Updated ===

impl Updated {
    fn failure(message: String) -> Self {
        Self { success: false, error_message: Some(message), loaded_adapters: None }
    }
}
