//! What SGLang says of itself, and its small services.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

use super::super::failure::Failure;
use super::super::{App, tokens, unix_now};
use crate::engine::Sleep;
use crate::wire::Object;

/// One model or adapter.
type Card = Object<7>;

/// The answer to `/v1/models`.
#[derive(Debug, Serialize)]
pub struct Listed {
    object: &'static str,
    data: Vec<Card>,
}

/// The release whose face this is.
const VERSION: &str = "0.5.23";

pub async fn model(State(app): State<Arc<App>>) -> Json<Object<14>> {
    let main = app.catalog.main();
    Json(Object([
        ("model_path", main.into()),
        ("served_model_name", main.into()),
        ("tokenizer_path", main.into()),
        ("is_generation", true.into()),
        ("preferred_sampling_params", Value::Null),
        ("weight_version", "default".into()),
        ("load_format", "auto".into()),
        ("reasoning_parser", Value::Null),
        ("tool_call_parser", Value::Null),
        ("disaggregation_mode", "null".into()),
        ("has_image_understanding", false.into()),
        ("has_audio_understanding", false.into()),
        ("model_type", "llama".into()),
        ("architectures", json!(["LlamaForCausalLM"])),
    ]))
}

pub async fn server(State(app): State<Arc<App>>) -> Json<Value> {
    let (main, stats) = (app.catalog.main(), app.engine.stats());
    let tokens = u64::from(stats.cache.block_size) * u64::from(stats.cache.blocks);
    let adapters: Vec<String> = app.catalog.adapters().into_iter().map(|adapter| adapter.name).collect();
    Json(json!({
        "model_path": main,
        "served_model_name": main,
        "context_length": app.engine.max_model_len(),
        "page_size": stats.cache.block_size,
        "max_total_num_tokens": tokens,
        "enable_lora": true,
        "max_loras_per_batch": stats.adapters.max,
        "lora_paths": adapters,
        "disable_radix_cache": !stats.cache.prefix_caching,
        "dp_size": 1,
        "tp_size": 1,
        "version": VERSION,
    }))
}

pub async fn models(State(app): State<Arc<App>>) -> Json<Listed> {
    let main = app.catalog.main();
    let mut cards = vec![app.card(main, main, None)];
    cards.extend(app.catalog.adapters().iter().map(|adapter| app.card(&adapter.name, &adapter.path, Some(main))));
    Json(Listed { object: "list", data: cards })
}

pub async fn one_model(State(app): State<Arc<App>>, Path(model): Path<String>) -> Response {
    if model == app.catalog.main() {
        return Json(app.card(&model, &model, None)).into_response();
    }
    let error = json!({"error": {
        "message": format!("The model '{model}' does not exist"),
        "type": "invalid_request_error",
        "param": "model",
        "code": "model_not_found",
    }});
    (StatusCode::NOT_FOUND, Json(error)).into_response()
}

pub async fn tokenize(state: State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Result<Json<Object<3>>, Failure> {
    let told = tokens::read(&headers, &body).map_err(Failure::on_sglang)?;
    let told = told.tokens.ok_or_else(|| Failure::empty_conversation(state.face).on_sglang())?;
    let count = told.len();
    Ok(Json(Object([
        ("tokens", json!(told)),
        ("count", count.into()),
        ("max_model_len", state.engine.max_model_len().into()),
    ])))
}

pub async fn detokenize(headers: HeaderMap, body: Bytes) -> Result<Json<Value>, Failure> {
    let (_, text) = tokens::read_ids(&headers, &body).map_err(Failure::on_sglang)?;
    Ok(Json(json!({"text": text})))
}

pub async fn flush_cache(State(app): State<Arc<App>>) -> (StatusCode, &'static str) {
    if app.engine.reset_prefix_cache() {
        let text = "Cache flushed.\nPlease check backend logs for more details. (When there are running or waiting \
                    requests, the operation will not be performed.)\n";
        return (StatusCode::OK, text);
    }
    (StatusCode::BAD_REQUEST, "Flush cache failed.\n")
}

pub async fn sleep(State(app): State<Arc<App>>) -> StatusCode {
    app.engine.set_sleep(Sleep::WeightsOffloaded);
    StatusCode::OK
}

pub async fn wake_up(State(app): State<Arc<App>>) -> StatusCode {
    app.engine.set_sleep(Sleep::Awake);
    StatusCode::OK
}

// === impl App ===

impl App {
    fn card(&self, name: &str, root: &str, parent: Option<&str>) -> Card {
        Object([
            ("id", name.into()),
            ("object", "model".into()),
            ("created", unix_now().into()),
            ("owned_by", "sglang".into()),
            ("root", root.into()),
            ("parent", parent.into()),
            ("max_model_len", parent.is_none().then(|| self.engine.max_model_len()).into()),
        ])
    }
}
