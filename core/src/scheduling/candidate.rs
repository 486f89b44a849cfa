//! What is chosen from, and for what.

use super::{Load, LoraSlots};
use crate::engine::Model;
use std::sync::Arc;

/// One address that serves a target's model: who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `ip:port` (`[ip]:port` for IPv6), as Envoy knows it.
    pub address: Arc<str>,
    /// `namespace/name` of the Pod behind it.
    pub pod: Arc<str>,
}

/// What is known of an endpoint beside its load.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// Share of the request's prompt that it has in its KV cache as far as we know, in [0, 1].
    pub matched: f64,
    /// Whether it failed lately and is left out while another one may serve.
    pub ejected: bool,
    /// The models and adapters that it serves; `None` when it never said.
    pub models: Option<&'a [Model]>,
    /// The adapters in its slots.
    pub lora: Option<&'a LoraSlots>,
}

/// What of an endpoint the plugins may look at.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// What it is doing now.
    pub load: &'a Load,
    /// [`Load::requests`], worked out once.
    pub(crate) requests: u32,
    /// [`Load::work`], worked out once.
    pub(crate) work: f64,
    /// [`Load::waiting`], worked out once; 0 where the engine does not say.
    pub(crate) waiting: u32,
    /// Of the prompt, the models and the adapters.
    pub known: Known<'a>,
}

/// What of a request the plugins may look at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'a> {
    /// `namespace/name` of the ModelServer.
    pub target: &'a str,
    /// The name that the engine is asked for.
    pub model: &'a str,
    /// Tokens of its prompt, estimated; 0 when nobody said.
    pub tokens: u32,
    /// The hash chain of its prompt ([`crate::prefix`]), first block first; empty when there is none.
    pub prefix: &'a [u64],
}

// === impl Candidate ===

impl<'a> Candidate<'a> {
    /// An endpoint of which that is known.
    pub fn new(load: &'a Load, known: Known<'a>) -> Self {
        let requests = load.requests();
        Self { load, requests, work: load.work_with(requests), waiting: load.waiting().unwrap_or(0), known }
    }

    /// An idle endpoint of which that is known.
    #[cfg(test)]
    pub(crate) fn idle(known: Known<'a>) -> Self {
        Self::new(Box::leak(Box::default()), known)
    }

    /// Whether it lists a model or adapter of that name; `None` when it never said.
    pub fn lists(&self, name: &str) -> Option<bool> {
        self.known.models.map(|models| models.iter().any(|model| model.id == name))
    }
}
