//! What is known of one engine.

use super::ejection::Health;
use super::prefill::Prefill;
use super::{Ended, Seen};
use crate::engine::{Model, Observation};
use crate::latency::Ewma;
use crate::scheduling::{Endpoint, Known, Load, LoraSlots, Request, Snapshot};
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Engine {
    pub(super) endpoint: Endpoint,
    pub(super) published: bool,
    /// What it is doing, but for what changes with time alone: a thousand of these are read for one pick.
    pub(super) load: Load,
    /// Of the prompts in flight.
    tokens: u64,
    pub(super) models: Option<Arc<Vec<Model>>>,
    lora: LoraSlots,
    pub(super) prefill: Prefill,
    /// Not read for a pick, and elsewhere so that what is lies closer together.
    taken: Box<Taken>,
    pub(super) health: Box<Health>,
}

/// How long our own requests took.
#[derive(Debug, Default)]
struct Taken {
    ttft: Ewma,
    tpot: Ewma,
    duration: Ewma,
}

// === impl Engine ===

impl Engine {
    /// What plugins know of it beside its load; `matched` is the share of the prompt that its cache holds.
    pub(super) fn known(&self, matched: f64) -> Known<'_> {
        Known { matched, ejected: false, models: self.models.as_deref().map(Vec::as_slice), lora: Some(&self.lora) }
    }

    pub(super) fn seen(&self, out: bool, now: Duration) -> Seen {
        let Endpoint { address, pod } = self.endpoint.clone();
        let ejected = self.health.out_until(now).filter(|_| out).map(|until| until.saturating_sub(now));
        Seen { address, pod, load: self.load(0.0, now.as_secs_f64()), models: self.models.clone(), ejected }
    }

    /// What it is doing at that time, in seconds, where so many routers do as we do.
    pub(super) fn load(&self, routers: f64, now: f64) -> Load {
        let mut load = self.load;
        self.bring_up(&mut load, routers, now);
        load
    }

    /// Brings a copy of [`Engine::load`] up to that time, in seconds.
    pub(super) fn bring_up(&self, load: &mut Load, routers: f64, now: f64) {
        // Nothing is computed for a request that has ended.
        (load.prefill, load.routers) = (self.prefill.backlog(now).min(self.tokens as f64) as f32, routers as f32);
    }

    /// Forgets measurements that are too old.
    pub(super) fn refresh(&mut self, now: Duration) {
        let Taken { ttft, tpot, duration } = &*self.taken;
        let [ttft, tpot, duration] = [ttft, tpot, duration].map(|average| average.get(now).map(|taken| taken as f32));
        (self.load.ttft, self.load.tpot, self.load.duration) = (ttft, tpot, duration);
    }

    /// A request is on its way, of whose prompt `compute` tokens are not in its cache.
    pub(super) fn begin(&mut self, request: &Request<'_>, compute: f64, now: f64) {
        self.prefill.send(compute, self.tokens as f64, now);
        self.count(self.load.in_flight.saturating_add(1), self.tokens + u64::from(request.tokens));
        self.send(request.model);
    }

    /// A request with a prompt of so many tokens is over.
    pub(super) fn end(&mut self, tokens: u32) {
        self.count(self.load.in_flight.saturating_sub(1), self.tokens.saturating_sub(tokens.into()));
    }

    fn count(&mut self, in_flight: u32, tokens: u64) {
        self.tokens = tokens;
        (self.load.in_flight, self.load.tokens) = (in_flight, u32::try_from(tokens).unwrap_or(u32::MAX));
    }

    /// Requests that the engine said it had, and how many of them were ours.
    pub(super) fn said(&self) -> Option<(u32, u32)> {
        let signals = self.load.signals?;
        Some((signals.running?.saturating_add(signals.waiting.unwrap_or(0)), self.load.then.in_flight))
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot { in_flight: self.load.in_flight, tokens: self.load.tokens }
    }

    fn send(&mut self, model: &str) {
        let adapter = |known: &Model| known.id == model && known.parent.is_some();
        if self.models.iter().flat_map(|models| models.iter()).any(adapter) {
            self.lora.send(model);
        }
    }

    /// `before`: what was in flight when it was asked. The page was made some time between then and now: whichever
    /// of the two had more in flight counts, as a request that ended in between is not there any more.
    pub(super) fn observe(&mut self, observation: Option<Observation>, before: Snapshot) {
        let now = self.snapshot();
        self.load.then =
            Snapshot { in_flight: before.in_flight.max(now.in_flight), tokens: before.tokens.max(now.tokens) };
        self.load.signals = observation.as_ref().map(|observation| observation.signals);
        self.lora.observe(observation.and_then(|observation| observation.adapters));
    }

    pub(super) fn completed(&mut self, ended: &Ended<'_>, now: Duration) {
        if !ended.served() {
            return;
        }
        let Taken { ttft, tpot, duration } = &mut *self.taken;
        let samples = [(ttft, ended.ttft), (tpot, ended.tpot), (duration, ended.duration)];
        for (average, sample) in samples {
            if let Some(sample) = sample {
                average.observe(sample.as_secs_f64(), now);
            }
        }
        self.refresh(now);
    }

    /// What was in its memory is gone.
    pub(super) fn restarted(&mut self) {
        self.lora.clear();
    }

    /// Another Pod is at this address now; what was sent there is still in flight.
    pub(super) fn replace(&mut self, endpoint: &Endpoint) {
        self.forget();
        self.endpoint = endpoint.clone();
    }

    /// Nothing is known of it but what is in flight.
    pub(super) fn forget(&mut self) {
        let (endpoint, published, tokens) = (self.endpoint.clone(), self.published, self.tokens);
        let load = Load { in_flight: self.load.in_flight, tokens: self.load.tokens, ..Load::default() };
        *self = Self { endpoint, published, load, tokens, ..Self::default() };
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            endpoint: Endpoint { address: "".into(), pod: "".into() },
            published: false,
            load: Load::default(),
            tokens: 0,
            models: None,
            lora: LoraSlots::default(),
            prefill: Prefill::default(),
            taken: Box::default(),
            health: Box::default(),
        }
    }
}
