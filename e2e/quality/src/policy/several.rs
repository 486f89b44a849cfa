//! Several routers over one fleet: each knows what it sent itself, and of the others only what engines say.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use fastrand::Rng;
use kthena_simulator::Snapshot;

use super::{Completion, Policy, Request};

/// Any of them gets a request; the pages go to all.
pub struct Several {
    routers: Vec<Box<dyn Policy>>,
    /// Who sent a request.
    senders: HashMap<u64, usize>,
}

// === impl Several ===

impl Several {
    /// At least one.
    pub fn new(routers: Vec<Box<dyn Policy>>) -> Self {
        Self { routers, senders: HashMap::new() }
    }
}

impl Policy for Several {
    fn pick(&mut self, request: &Request, now: Duration, random: &mut Rng) -> Option<usize> {
        let sender = random.usize(..self.routers.len().max(1));
        let engine = self.routers.get_mut(sender)?.pick(request, now, random)?;
        self.senders.insert(request.id, sender);
        Some(engine)
    }

    fn ended(&mut self, request: &Request, engine: usize, now: Duration) {
        if let Some(router) = self.senders.get(&request.id).and_then(|sender| self.routers.get_mut(*sender)) {
            router.ended(request, engine, now);
        }
    }

    fn completed(&mut self, completion: &Completion, now: Duration) {
        if let Some(router) = self.senders.remove(&completion.request).and_then(|sender| self.routers.get_mut(sender)) {
            router.completed(completion, now);
        }
    }

    fn scraped(&mut self, engine: usize, page: &Snapshot, now: Duration) {
        for router in &mut self.routers {
            router.scraped(engine, page, now);
        }
    }
}

impl fmt::Debug for Several {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Several").field("routers", &self.routers.len()).finish_non_exhaustive()
    }
}
