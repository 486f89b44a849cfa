//! vLLM's paths.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, Uri};
use axum::routing::{get, post};

use super::{
    App, adapters, audio, chat, completions, embeddings, messages, metrics, models, only_get, responses, state, tokens,
    unknown_path,
};

/// Paths that exist, for the redirect of a trailing slash.
const PATHS: [&str; 20] = [
    "/health",
    "/load",
    "/version",
    "/ping",
    "/v1/models",
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/audio/transcriptions",
    "/v1/audio/translations",
    "/v1/messages",
    "/v1/responses",
    "/v1/load_lora_adapter",
    "/v1/unload_lora_adapter",
    "/tokenize",
    "/detokenize",
    "/invocations",
    "/is_sleeping",
    "/sleep",
    "/wake_up",
];

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/health", only_get(get(state::health)))
        .route("/ping", only_get(get(state::health).post(state::health)))
        .route("/load", only_get(get(state::load)))
        .route("/version", only_get(get(state::version)))
        .route("/metrics", get(metrics::vllm))
        .route("/v1/models", only_get(get(models::list)))
        .route("/v1/chat/completions", post(chat::handle))
        .route("/v1/completions", post(completions::handle))
        .route("/v1/embeddings", post(embeddings::handle))
        .route("/v1/audio/transcriptions", post(audio::transcribe))
        .route("/v1/audio/translations", post(audio::translate))
        .route("/v1/messages", post(messages::handle))
        .route("/v1/messages/count_tokens", post(messages::count))
        .route("/v1/responses", post(responses::handle))
        .route("/v1/responses/{id}", only_get(get(responses::unknown)))
        .route("/v1/responses/{id}/cancel", post(responses::unknown))
        .route("/v1/load_lora_adapter", post(adapters::load))
        .route("/v1/unload_lora_adapter", post(adapters::unload))
        .route("/invocations", post(completions::invocations))
        .route("/tokenize", post(tokens::tokenize))
        .route("/detokenize", post(tokens::detokenize))
        .route("/is_sleeping", only_get(get(state::is_sleeping)))
        .route("/sleep", post(state::sleep))
        .route("/wake_up", post(state::wake_up))
        .route("/reset_prefix_cache", post(state::reset_prefix_cache))
        .fallback(async |uri: Uri, headers: HeaderMap| unknown_path(&PATHS, &uri, &headers))
}
