//! vLLM's HTTP face: its paths, its statuses, its manners.

mod adapters;
mod ask;
mod chat;
mod completions;
mod face;
mod failure;
mod fields;
mod generate;
mod inspect;
mod models;
mod record;
mod stream;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};

use crate::catalog::Catalog;
use crate::engine::{Engine, SplitMix64, digest64};
use crate::received::Recorder;
use failure::Failure;

/// What every handler shares.
#[derive(Debug)]
pub struct App {
    engine: Arc<Engine>,
    catalog: Catalog,
    recorder: Recorder,
    name: String,
    name_header: HeaderValue,
    fingerprint: String,
    id_seed: u64,
    ids: AtomicU64,
}

/// The release whose face this is; part of the fingerprint, as in the real one.
const VLLM_VERSION: &str = "0.32.0";

/// Paths that exist, for the redirect of a trailing slash.
const PATHS: [&str; 6] = [
    "/health",
    "/v1/models",
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/load_lora_adapter",
    "/v1/unload_lora_adapter",
];

/// All paths of one simulated engine.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/health", only_get(get(health)))
        .route("/v1/models", only_get(get(models::list)))
        .route("/v1/chat/completions", post(chat::handle))
        .route("/v1/completions", post(completions::handle))
        .route("/v1/load_lora_adapter", post(adapters::load))
        .route("/v1/unload_lora_adapter", post(adapters::unload))
        .route("/simulator/state", get(inspect::state))
        .route("/simulator/requests", get(inspect::requests).delete(inspect::clear))
        .fallback(unknown_path)
        .method_not_allowed_fallback(async || Failure::METHOD_NOT_ALLOWED)
        .layer(middleware::from_fn_with_state(Arc::clone(&app), record::record))
        // The recorder reads bodies, and has its own limit.
        .layer(DefaultBodyLimit::disable())
        .with_state(app)
}

/// FastAPI answers HEAD with 405 where axum would answer as for GET.
fn only_get(route: MethodRouter<Arc<App>>) -> MethodRouter<Arc<App>> {
    route.head(async || ([(header::ALLOW, "GET")], Failure::METHOD_NOT_ALLOWED))
}

async fn health() -> StatusCode {
    StatusCode::OK
}

/// Starlette sends a known path with a slash at its end to the one without, by absolute URL.
async fn unknown_path(uri: Uri, headers: HeaderMap) -> Response {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    match (uri.path().strip_suffix('/'), host) {
        (Some(path), Some(host)) if PATHS.contains(&path) => {
            let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
            let location = format!("http://{host}{path}{query}");
            (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response()
        }
        _ => Failure::NOT_FOUND.into_response(),
    }
}

/// Unix time in seconds, as answers carry it.
fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

// === impl App ===

impl App {
    /// `name_header` is `name` as a header value.
    pub fn new(engine: Arc<Engine>, catalog: Catalog, name: String, name_header: HeaderValue, seed: u64) -> Self {
        let served: Vec<&[u8]> = catalog.served().map(str::as_bytes).collect();
        let fingerprint = format!("vllm-{VLLM_VERSION}-{:08x}", digest64(&served) >> 32);
        // The name is in it so that two simulators of one seed do not give out the same ids.
        let id_seed = digest64(&[&seed.to_le_bytes(), name.as_bytes()]);
        Self {
            engine,
            catalog,
            recorder: Recorder::default(),
            name,
            name_header,
            fingerprint,
            id_seed,
            ids: AtomicU64::new(0),
        }
    }

    /// A new id, sixteen hex digits.
    fn next_id(&self) -> String {
        let index = self.ids.fetch_add(1, Ordering::Relaxed);
        format!("{:016x}", SplitMix64::at(self.id_seed, index))
    }
}
