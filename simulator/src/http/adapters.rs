//! `POST /v1/load_lora_adapter` and `POST /v1/unload_lora_adapter`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use tracing::info;

use super::App;
use super::failure::Failure;
use super::fields::{self, Fields};
use crate::catalog::{Adapter, Refusal};

pub async fn load(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Result<Response, Failure> {
    let object = fields::object(&headers, &body)?;
    let mut fields = Fields::new(&object);
    let name = fields.required_string("lora_name").unwrap_or_default().to_owned();
    let path = fields.required_string("lora_path").unwrap_or_default().to_owned();
    let replace = fields.flag("load_inplace");
    fields.finish()?;
    if name.is_empty() || path.is_empty() {
        let message = "Both 'lora_name' and 'lora_path' must be provided.";
        return Err(Failure::adapter_input(message.to_owned()));
    }
    if app.is_missing(&path) {
        return Err(Failure::adapter_not_found(format!("Loading lora {name} failed: No adapter found for {path}")));
    }
    let adapter = Adapter { name: name.clone(), path };
    app.catalog.load(adapter, replace).map_err(|refusal| refused(refusal, &name))?;
    app.engine.load_adapter(&name);
    info!(name, "loaded a LoRA adapter");
    Ok(success(format!("Success: LoRA adapter '{name}' added successfully.")))
}

pub async fn unload(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Result<Response, Failure> {
    let object = fields::object(&headers, &body)?;
    let mut fields = Fields::new(&object);
    let name = fields.required_string("lora_name").unwrap_or_default();
    fields.finish()?;
    if name.is_empty() {
        let message = "'lora_name' needs to be provided to unload a LoRA adapter.";
        return Err(Failure::adapter_input(message.to_owned()));
    }
    app.catalog.unload(name).map_err(|refusal| refused(refusal, name))?;
    app.engine.unload_adapter(name);
    info!(name, "unloaded a LoRA adapter");
    Ok(success(format!("Success: LoRA adapter '{name}' removed successfully.")))
}

fn refused(refusal: Refusal, name: &str) -> Failure {
    match refusal {
        Refusal::NameOfModel => {
            Failure::adapter_input(format!("The lora adapter '{name}' conflicts with a served base model."))
        }
        Refusal::AlreadyLoaded => Failure::adapter_input(format!(
            "The lora adapter '{name}' has already been loaded. If you want to load the adapter \
             in place, set 'load_inplace' to True."
        )),
        Refusal::NotLoaded => Failure::adapter_not_found(format!("The lora adapter '{name}' cannot be found.")),
    }
}

/// vLLM sends this text without a content type.
fn success(text: String) -> Response {
    Response::new(Body::from(text))
}
