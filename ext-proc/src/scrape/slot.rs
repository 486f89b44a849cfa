//! What one engine said last: written by its task, read by whoever asks. Picks have their own copy.

use arc_swap::{ArcSwap, ArcSwapOption};
use kthena_core::engine::{Adapters, Model};
use kthena_core::scheduling::Signals;
use std::sync::Arc;
use std::time::Instant;

/// The place where an endpoint's latest observation is.
#[derive(Debug, Default)]
pub struct Slot {
    observed: ArcSwap<Observed>,
    models: ArcSwapOption<Vec<Model>>,
}

/// What an engine's metrics said.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// `None` before the first page, and once the last one is too old.
    pub signals: Option<Signals>,
    /// LoRA adapters in use; `None` where the engine does not say.
    pub adapters: Option<Adapters>,
    /// When the last good page came.
    pub at: Option<Instant>,
    /// Whether it has been silent for too long.
    pub stale: bool,
}

// === impl Slot ===

impl Slot {
    /// What the metrics said last.
    pub fn observed(&self) -> Arc<Observed> {
        self.observed.load_full()
    }

    /// For scheduling.
    pub fn signals(&self) -> Option<Signals> {
        self.observed.load().signals
    }

    /// The models and adapters that it serves. A list outlives requests for it that fail: what an engine has
    /// loaded does not depend on whether it answers this one.
    pub fn models(&self) -> Option<Arc<Vec<Model>>> {
        self.models.load_full()
    }

    pub(crate) fn observe(&self, observed: Observed) {
        self.observed.store(Arc::new(observed));
    }

    /// Takes a list; answers with it if it is news.
    pub(crate) fn list(&self, models: Vec<Model>) -> Option<Arc<Vec<Model>>> {
        if self.models.load().as_deref() == Some(&models) {
            return None;
        }
        let models = Arc::new(models);
        self.models.store(Some(Arc::clone(&models)));
        Some(models)
    }
}
