//! The endpoints of every target, as they are published.

use super::names::Names;
use crate::scrape::{Slot, Target};
use kthena_core::engine::{EngineType, Transport};
use kthena_core::scheduling::Endpoint;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// The endpoints of every target (`namespace/name` of a ModelServer).
#[derive(Debug, Default)]
pub struct Pools {
    by_target: HashMap<String, Members>,
    names: Names,
}

/// The endpoints of one target.
#[derive(Debug, Default)]
pub struct Pool {
    /// What runs at them; `None`: nobody asks them for their metrics.
    pub engine: Option<EngineType>,
    /// How they are spoken to.
    pub transport: Transport,
    /// Whether only a pick may serve: then the list goes on from its start, as far as retries go.
    pub fail_close: bool,
    /// The scheduler profile that it is picked by; `None` for the default one.
    pub profile: Option<String>,
    /// Address and Pod (`namespace/name`) of each.
    pub endpoints: Vec<(SocketAddr, String)>,
}

#[derive(Debug)]
struct Members {
    fail_close: bool,
    profile: Option<String>,
    all: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    endpoint: Endpoint,
    /// Where and how to ask it, and what it said last.
    target: Option<(Target, Arc<Slot>)>,
}

// === impl Pools ===

impl Pools {
    /// The endpoints of each target.
    pub fn new<P: Into<Pool>>(pools: impl IntoIterator<Item = (String, P)>) -> Self {
        let mut names = HashMap::new();
        let mut by_target = HashMap::new();
        for (name, pool) in pools {
            let Pool { engine, transport, fail_close, profile, endpoints } = pool.into();
            let member = |(address, pod): (SocketAddr, String)| {
                let pod: Arc<str> = pod.into();
                names.insert(address, Arc::clone(&pod));
                let target = engine.map(|engine| {
                    let (pod, transport) = (Arc::clone(&pod), transport.clone());
                    (Target { address, pod, engine, transport }, Arc::default())
                });
                Member { endpoint: Endpoint { address: address.to_string().into(), pod }, target }
            };
            by_target.insert(name, Members { fail_close, profile, all: endpoints.into_iter().map(member).collect() });
        }
        Self { by_target, names: Names::new(names) }
    }

    /// Whom to ask; each gets the slot that it had before.
    pub(super) fn targets(&mut self) -> impl Iterator<Item = (Target, &mut Arc<Slot>)> {
        let members = self.by_target.values_mut().flat_map(|members| &mut members.all);
        members.filter_map(|member| member.target.as_mut()).map(|(target, slot)| (target.clone(), slot))
    }

    /// Takes over the names that earlier pools knew.
    pub(super) fn remember(&mut self, earlier: &Self) {
        self.names.remember(&earlier.names);
    }

    /// As the fleet takes them.
    pub(super) fn endpoints(&self) -> impl Iterator<Item = (&str, Vec<Endpoint>)> {
        let endpoints = |members: &Members| members.all.iter().map(|member| member.endpoint.clone()).collect();
        self.by_target.iter().map(move |(target, members)| (target.as_str(), endpoints(members)))
    }

    pub(super) fn profile(&self, target: &str) -> Option<&str> {
        self.by_target.get(target)?.profile.as_deref()
    }

    pub(super) fn fail_close(&self, target: &str) -> bool {
        self.by_target.get(target).is_some_and(|members| members.fail_close)
    }

    /// The Pod (`namespace/name`) at an address, or the last one that was there.
    pub(super) fn pod(&self, address: SocketAddr) -> Option<Arc<str>> {
        self.names.at(address)
    }
}

// === impl Pool ===

impl From<Vec<(SocketAddr, String)>> for Pool {
    /// Endpoints of which nobody knows what runs there.
    fn from(endpoints: Vec<(SocketAddr, String)>) -> Self {
        Self { endpoints, ..Self::default() }
    }
}
