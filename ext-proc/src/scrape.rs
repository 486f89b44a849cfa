//! Asks every engine for its metrics and its models, again and again.
//!
//! Every endpoint has a task of its own, so that an engine that answers late delays no other. What is read is
//! kept in the endpoint's [`Slot`], where picks find it; an engine that has been silent for three intervals is
//! not believed any more, and picks go by requests in flight alone. One that answers from the first and has no metrics
//! says nothing of its load: it is told once, asked rarely, and counts neither as silent nor as a failure.

mod clients;
mod endpoint;
mod failure;
mod fetch;
mod slot;
mod targets;
mod tls;

use crate::telemetry::ScrapeMetrics;
pub use slot::{Observed, Slot};
pub use targets::{Target, Targets};

use crate::picker::Picker;
use clients::Clients;
use endpoint::Endpoint;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{AbortHandle, JoinSet};

/// How often engines are asked, unless the environment says otherwise.
pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);

/// Between the first requests to endpoints that come together: a hundred are known after 200 ms.
const SPREAD: Duration = Duration::from_millis(2);

/// Follows the picker's endpoints: asks new ones at once, and forgets those that are gone. It does not end.
pub async fn follow(picker: Arc<Picker>, interval: Duration, metrics: Arc<ScrapeMetrics>) {
    let mut changes = picker.targets().subscribe();
    let mut clients = Clients::default();
    let mut tasks = JoinSet::new();
    let mut running: HashMap<Target, (Arc<Slot>, AbortHandle)> = HashMap::new();
    loop {
        let wanted = Arc::clone(&changes.borrow_and_update());
        running.retain(|target, (slot, task)| {
            // The slot too: an endpoint that went and came back is another one.
            let stays = wanted.get(target).is_some_and(|wanted| Arc::ptr_eq(wanted, slot));
            if !stays {
                task.abort();
            }
            stays
        });
        clients.keep(wanted.keys().map(|target| &target.transport));
        let mut delay = Duration::ZERO;
        for (target, slot) in wanted.iter() {
            if running.contains_key(target) {
                continue;
            }
            let fetcher = clients.of(&target.transport);
            let endpoint = Endpoint::new(target.clone(), Arc::clone(slot), &picker, interval, fetcher, &metrics);
            let task = tasks.spawn(endpoint.follow(delay));
            running.insert(target.clone(), (Arc::clone(slot), task));
            delay = (delay + SPREAD).min(interval);
        }
        // What is aborted leaves its result behind.
        while tasks.try_join_next().is_some() {}
        if changes.changed().await.is_err() {
            return;
        }
    }
}
