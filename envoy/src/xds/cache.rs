//! What is offered now, what was accepted last, what was refused.

use super::{Resource, Snapshot};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Shared by the publisher and every Envoy's stream.
#[derive(Debug, Clone)]
pub struct Cache {
    state: Arc<Mutex<State>>,
    /// Ticks when the offer changes.
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    /// Counts publications that changed something.
    revision: u64,
    types: BTreeMap<String, TypeState>,
}

#[derive(Debug, Default)]
struct TypeState {
    offered: Version,
    /// What an Envoy said yes to last.
    accepted: Option<Version>,
    /// What Envoy said of the offered version, when it said no.
    refused: Option<String>,
}

/// One type's resources at a version.
#[derive(Debug, Clone, Default)]
pub(super) struct Version {
    pub(super) number: u64,
    pub(super) resources: Arc<Vec<Resource>>,
}

/// What Envoy made of the configuration, by type URL.
pub type Status = BTreeMap<String, TypeStatus>;

/// What Envoy made of one type's resources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TypeStatus {
    /// The version that is published.
    pub offered: u64,
    /// The version that an Envoy accepted last.
    pub accepted: Option<u64>,
    /// Envoy's words about the published version, when it refused it.
    pub refused: Option<String>,
}

// === impl Cache ===

impl Cache {
    /// An empty cache: Envoys wait for the first snapshot.
    pub fn new() -> Self {
        Self { state: Arc::default(), changed: watch::Sender::new(0) }
    }

    /// Publishes a snapshot. Types whose resources are the same keep their version, and nobody hears of them.
    pub fn publish(&self, snapshot: &Snapshot) {
        let mut state = self.lock();
        let mut news = false;
        let revision = state.revision + 1;
        for (url, resources) in snapshot.types() {
            let current = state.types.entry(url.to_owned()).or_default();
            if current.offered.number > 0 && *current.offered.resources == resources {
                continue;
            }
            current.offered = Version { number: revision, resources: Arc::new(resources.to_vec()) };
            current.refused = None;
            news = true;
        }
        if news {
            state.revision = revision;
            drop(state);
            self.changed.send_replace(revision);
        }
    }

    /// What Envoy made of it all.
    pub fn status(&self) -> Status {
        let describe = |state: &TypeState| TypeStatus {
            offered: state.offered.number,
            accepted: state.accepted.as_ref().map(|version| version.number),
            refused: state.refused.clone(),
        };
        self.lock().types.iter().map(|(url, state)| (url.clone(), describe(state))).collect()
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// What to send of a type: the published version, or the last accepted one where Envoy refused that.
    pub(super) fn offer(&self, url: &str) -> Option<Version> {
        let state = self.lock();
        let state = state.types.get(url)?;
        let version = match (&state.refused, &state.accepted) {
            (Some(_), Some(accepted)) => accepted,
            _ => &state.offered,
        };
        (version.number > 0).then(|| version.clone())
    }

    pub(super) fn accept(&self, url: &str, version: &Version) {
        if let Some(state) = self.lock().types.get_mut(url) {
            state.accepted = Some(version.clone());
        }
    }

    pub(super) fn refuse(&self, url: &str, version: &Version, message: &str) {
        if let Some(state) = self.lock().types.get_mut(url)
            && state.offered.number == version.number
        {
            state.refused = Some(message.to_owned());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held; what a panic elsewhere left is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use envoy_types::pb::google::protobuf::Any;

    fn snapshot(a: &str, b: &str) -> Snapshot {
        let resource = |url: &str, value: &str| Resource {
            name: "it".to_owned(),
            body: Any { type_url: url.to_owned(), value: value.as_bytes().to_vec() },
        };
        Snapshot::new([resource("a", a), resource("b", b)])
    }

    #[test]
    fn only_types_that_changed_get_a_new_version() {
        let cache = Cache::new();
        let mut changed = cache.subscribe();
        cache.publish(&snapshot("1", "1"));
        cache.publish(&snapshot("1", "2"));
        assert_eq!((cache.offer("a").unwrap().number, cache.offer("b").unwrap().number), (1, 2));
        assert!(changed.has_changed().unwrap());
        changed.mark_unchanged();
        cache.publish(&snapshot("1", "2"));
        assert!(!changed.has_changed().unwrap());
        assert!(cache.offer("unknown").is_none());
    }

    #[test]
    fn what_envoy_refused_is_not_offered_again_and_the_last_good_one_is() {
        let cache = Cache::new();
        cache.publish(&snapshot("good", "1"));
        cache.accept("a", &cache.offer("a").unwrap());
        cache.publish(&snapshot("bad", "1"));
        cache.refuse("a", &cache.offer("a").unwrap(), "no such thing");
        assert_eq!(cache.offer("a").unwrap().number, 1);
        let status = &cache.status()["a"];
        assert_eq!((status.offered, status.accepted), (2, Some(1)));
        assert_eq!(status.refused.as_deref(), Some("no such thing"));
        cache.publish(&snapshot("better", "1"));
        assert_eq!(cache.offer("a").unwrap().number, 3);
    }
}
