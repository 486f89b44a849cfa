//! `GET /metrics`.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;

use super::App;
use super::generate::typed;
use crate::engine::Stats;
use crate::wire::metrics::{self, AdapterSet};
use crate::wire::sglang;

/// The sets of adapters that were seen: vLLM never takes one off its page.
#[derive(Debug, Default)]
pub struct AdapterHistory(Mutex<Vec<AdapterSet>>);

/// More than a test makes, little enough to keep.
const KEPT_SETS: usize = 64;

pub async fn vllm(State(app): State<Arc<App>>) -> Response {
    let stats = app.engine.stats();
    let seen = app.adapters_seen.with(&stats);
    typed(metrics::CONTENT_TYPE, Body::from(metrics::page(app.catalog.main(), &stats, &seen)))
}

pub async fn sglang(State(app): State<Arc<App>>) -> Response {
    let page = sglang::metrics::page(app.catalog.main(), app.engine.max_model_len(), &app.engine.stats());
    typed(metrics::CONTENT_TYPE, Body::from(page))
}

// === impl AdapterHistory ===

impl AdapterHistory {
    /// All sets, with that of this moment.
    fn with(&self, stats: &Stats) -> Vec<AdapterSet> {
        let adapters = &stats.adapters;
        let (waiting, running) = (adapters.waiting.join(","), adapters.running.join(","));
        let seen = metrics::unix(adapters.changed);
        // No step under the lock can leave the list half changed.
        let mut sets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match sets.iter_mut().find(|set| set.waiting == waiting && set.running == running) {
            Some(known) => known.seen = seen,
            None => {
                if sets.len() == KEPT_SETS {
                    sets.remove(0);
                }
                sets.push(AdapterSet { waiting, running, seen });
            }
        }
        sets.clone()
    }
}
