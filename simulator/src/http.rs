//! The engines' HTTP faces: their paths, their statuses, their manners.

mod adapters;
mod ask;
mod audio;
mod chat;
mod completions;
mod embeddings;
mod failure;
mod faults;
mod fields;
mod gate;
mod generate;
mod inspect;
mod messages;
mod metrics;
mod models;
mod prompt;
mod record;
mod responses;
mod sglang;
mod state;
mod stops;
mod stream;
mod target;
mod tokens;
mod tools;
mod vllm;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};

use crate::catalog::Catalog;
use crate::engine::{Engine, SplitMix64, digest64};
use crate::faults::Faults;
use crate::options::{Face, Manners};
use crate::received::Recorder;
use failure::Failure;
use metrics::AdapterHistory;

/// What every handler shares.
#[derive(Debug)]
pub struct App {
    engine: Arc<Engine>,
    catalog: Catalog,
    recorder: Recorder,
    adapters_seen: AdapterHistory,
    faults: Arc<Faults>,
    face: Face,
    api_key: Option<String>,
    missing_lora_paths: Vec<String>,
    /// Whether usage tells of cached tokens.
    details: bool,
    /// Whether answers carry a request's id.
    request_ids: bool,
    name: String,
    name_header: HeaderValue,
    fingerprint: String,
    id_seed: u64,
    ids: AtomicU64,
}

/// The release whose face this is; part of the fingerprint, as in the real one.
const VLLM_VERSION: &str = "0.32.0";

/// All paths of one simulated engine.
pub fn router(app: Arc<App>) -> Router {
    let face = match app.face {
        Face::Vllm => vllm::router(),
        Face::Sglang => sglang::router(),
    };
    face.route("/simulator/state", get(inspect::state))
        .route("/simulator/requests", get(inspect::requests).delete(inspect::clear))
        .route("/simulator/faults", get(faults::show).post(faults::arm).delete(faults::clear))
        .method_not_allowed_fallback(async || Failure::METHOD_NOT_ALLOWED)
        .layer(middleware::from_fn_with_state(Arc::clone(&app), gate::pass))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), faults::strike))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), record::record))
        // The recorder reads bodies, and has its own limit.
        .layer(DefaultBodyLimit::disable())
        .with_state(app)
}

/// FastAPI answers HEAD with 405 where axum would answer as for GET.
fn only_get(route: MethodRouter<Arc<App>>) -> MethodRouter<Arc<App>> {
    route.head(async || ([(header::ALLOW, "GET")], Failure::METHOD_NOT_ALLOWED))
}

/// Starlette sends a known path with a slash at its end to the one without, by absolute URL.
fn unknown_path(paths: &[&str], uri: &Uri, headers: &HeaderMap) -> Response {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    match (uri.path().strip_suffix('/'), host) {
        (Some(path), Some(host)) if paths.contains(&path) => {
            let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
            let location = format!("http://{host}{path}{query}");
            (axum::http::StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response()
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
    pub fn new(
        engine: Arc<Engine>,
        catalog: Catalog,
        manners: Manners,
        faults: Arc<Faults>,
        name: String,
        name_header: HeaderValue,
        seed: u64,
    ) -> Self {
        let served: Vec<&[u8]> = catalog.served().map(str::as_bytes).collect();
        let fingerprint = format!("vllm-{VLLM_VERSION}-{:08x}", digest64(&served) >> 32);
        // The name is in it so that two simulators of one seed do not give out the same ids.
        let id_seed = digest64(&[&seed.to_le_bytes(), name.as_bytes()]);
        Self {
            engine,
            catalog,
            recorder: Recorder::default(),
            adapters_seen: AdapterHistory::default(),
            faults,
            face: manners.face,
            api_key: manners.api_key,
            missing_lora_paths: manners.missing_lora_paths,
            details: manners.enable_prompt_tokens_details,
            request_ids: manners.enable_request_id_headers,
            name,
            name_header,
            fingerprint,
            id_seed,
            ids: AtomicU64::new(0),
        }
    }

    /// Whether an adapter's path was declared to lead nowhere.
    fn is_missing(&self, path: &str) -> bool {
        self.missing_lora_paths.iter().any(|prefix| path.starts_with(prefix))
    }

    /// A new id: sixteen hex digits from vLLM, thirty-two from SGLang.
    fn next_id(&self) -> String {
        let index = self.ids.fetch_add(1, Ordering::Relaxed);
        let id = SplitMix64::at(self.id_seed, index);
        match self.face {
            Face::Vllm => format!("{id:016x}"),
            Face::Sglang => format!("{:016x}{id:016x}", self.id_seed),
        }
    }
}
