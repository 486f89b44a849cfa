//! SGLang's paths, read from the sources of 0.5.23; see the README for what is left out.

mod adapters;
mod generate;
mod info;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;

use super::failure::Failure;
use super::generate::answer;
use super::{App, chat, completions, embeddings, messages, metrics, only_get, responses, state, unknown_path};
use crate::wire::sglang::chat::Chat;
use crate::wire::sglang::completion::Completion;

/// Paths that exist, for the redirect of a trailing slash.
const PATHS: [&str; 9] = [
    "/health",
    "/v1/models",
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/generate",
    "/model_info",
    "/load_lora_adapter",
    "/unload_lora_adapter",
];

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(async || axum::Json("SGLang is running")))
        .route("/health", only_get(get(state::health)))
        .route("/health_generate", only_get(get(generate::health)))
        .route("/ready", only_get(get(state::health)))
        .route("/ping", only_get(get(state::health)))
        .route("/metrics", get(metrics::sglang))
        .route("/get_model_info", only_get(get(info::model)))
        .route("/model_info", only_get(get(info::model)))
        .route("/get_server_info", only_get(get(info::server)))
        .route("/server_info", only_get(get(info::server)))
        .route("/v1/models", only_get(get(info::models)))
        .route("/v1/models/{model}", only_get(get(info::one_model)))
        .route("/v1/chat/completions", post(chat))
        .route("/v1/completions", post(completion))
        .route("/v1/embeddings", post(embed))
        .route("/v1/messages", post(messages::handle))
        .route("/v1/messages/count_tokens", post(messages::count))
        .route("/v1/responses", post(responses::handle))
        .route("/generate", post(generate::handle).put(generate::handle))
        .route("/tokenize", post(info::tokenize))
        .route("/v1/tokenize", post(info::tokenize))
        .route("/detokenize", post(info::detokenize))
        .route("/v1/detokenize", post(info::detokenize))
        .route("/load_lora_adapter", post(adapters::load))
        .route("/unload_lora_adapter", post(adapters::unload))
        .route("/flush_cache", get(info::flush_cache).post(info::flush_cache))
        .route("/release_memory_occupation", get(info::sleep).post(info::sleep))
        .route("/resume_memory_occupation", get(info::wake_up).post(info::wake_up))
        .fallback(async |uri: Uri, headers: HeaderMap| unknown_path(&PATHS, &uri, &headers))
}

async fn chat(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Result<Response, Failure> {
    let ask = chat::read(&headers, &body).map_err(Failure::on_sglang)?;
    drop(body);
    let answer = answer(&app, &headers, "", ask, |head, _| Box::new(Chat::new(head))).await;
    answer.map_err(Failure::on_sglang)
}

async fn completion(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Result<Response, Failure> {
    let ask = completions::read(&headers, &body).map_err(Failure::on_sglang)?;
    drop(body);
    let answer = answer(&app, &headers, "", ask, |head, _| Box::new(Completion::new(head))).await;
    answer.map_err(Failure::on_sglang)
}

async fn embed(state: State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Result<Response, Failure> {
    embeddings::handle(state, headers, body).await.map_err(Failure::on_sglang)
}
