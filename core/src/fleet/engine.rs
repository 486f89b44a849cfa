//! What is known of one engine.

use super::prefill::Prefill;
use super::{Ended, Seen};
use crate::engine::{Model, Observation};
use crate::latency::Ewma;
use crate::scheduling::{Candidate, Endpoint, Load, LoraSlots, Signals, Snapshot};
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Engine {
    pub(super) endpoint: Endpoint,
    pub(super) published: bool,
    pub(super) in_flight: u32,
    /// Of the prompts in flight.
    pub(super) tokens: u64,
    signals: Option<Signals>,
    then: Snapshot,
    pub(super) models: Option<Arc<Vec<Model>>>,
    lora: LoraSlots,
    ttft: Ewma,
    tpot: Ewma,
    duration: Ewma,
    pub(super) prefill: Prefill,
}

// === impl Engine ===

impl Engine {
    /// What plugins see; `matched` is the share of the prompt that its cache holds.
    pub(super) fn candidate(&self, matched: f64, routers: f64, now: Duration) -> Candidate<'_> {
        let models = self.models.as_deref().map(Vec::as_slice);
        let load = Load { routers, ..self.load(now) };
        Candidate { matched, models, lora: Some(&self.lora), ..Candidate::from(load) }
    }

    pub(super) fn seen(&self, now: Duration) -> Seen {
        let Endpoint { address, pod } = self.endpoint.clone();
        Seen { address, pod, load: self.load(now), models: self.models.clone() }
    }

    fn load(&self, now: Duration) -> Load {
        let Snapshot { in_flight, tokens } = self.snapshot();
        Load {
            in_flight,
            tokens,
            signals: self.signals,
            then: self.then,
            ttft: self.ttft.get(now),
            tpot: self.tpot.get(now),
            duration: self.duration.get(now),
            // Nothing is computed for a request that has ended.
            prefill: self.prefill.backlog(now).min(self.tokens as f64),
            ..Load::default()
        }
    }

    /// Requests that the engine said it had, and how many of them were ours.
    pub(super) fn said(&self) -> Option<(u32, u32)> {
        let signals = self.signals?;
        Some((signals.running?.saturating_add(signals.waiting.unwrap_or(0)), self.then.in_flight))
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot { in_flight: self.in_flight, tokens: u32::try_from(self.tokens).unwrap_or(u32::MAX) }
    }

    /// A request for that model is on its way.
    pub(super) fn send(&mut self, model: &str) {
        let adapter = |known: &Model| known.id == model && known.parent.is_some();
        if self.models.iter().flat_map(|models| models.iter()).any(adapter) {
            self.lora.send(model);
        }
    }

    /// `before`: what was in flight when it was asked. The page was made some time between then and now: whichever
    /// of the two had more in flight counts, as a request that ended in between is not there any more.
    pub(super) fn observe(&mut self, observation: Option<Observation>, before: Snapshot) {
        let now = self.snapshot();
        self.then = Snapshot { in_flight: before.in_flight.max(now.in_flight), tokens: before.tokens.max(now.tokens) };
        self.signals = observation.as_ref().map(|observation| observation.signals);
        self.lora.observe(observation.and_then(|observation| observation.adapters));
    }

    pub(super) fn completed(&mut self, ended: &Ended<'_>, now: Duration) {
        if !ended.served() {
            return;
        }
        let samples =
            [(&mut self.ttft, ended.ttft), (&mut self.tpot, ended.tpot), (&mut self.duration, ended.duration)];
        for (average, sample) in samples {
            if let Some(sample) = sample {
                average.observe(sample.as_secs_f64(), now);
            }
        }
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
        let (endpoint, published) = (self.endpoint.clone(), self.published);
        *self = Self { endpoint, published, in_flight: self.in_flight, tokens: self.tokens, ..Self::default() };
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            endpoint: Endpoint { address: "".into(), pod: "".into() },
            published: false,
            in_flight: 0,
            tokens: 0,
            signals: None,
            then: Snapshot::default(),
            models: None,
            lora: LoraSlots::default(),
            ttft: Ewma::default(),
            tpot: Ewma::default(),
            duration: Ewma::default(),
            prefill: Prefill::default(),
        }
    }
}
