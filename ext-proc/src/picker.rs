//! What the picker knows: the endpoints of every target, and who is busy.

mod names;

use crate::decisions::Decisions;
use crate::scrape::{Slot, Target, Targets};
use crate::telemetry::Live;
use arc_swap::ArcSwap;
use kthena_core::engine::{EngineType, Model};
use kthena_core::inflight::InFlight;
use kthena_core::scheduling::{Decision, Endpoint, Lap, Load, Profile, Request};
use names::Names;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Chooses endpoints and counts what is in flight.
#[derive(Debug)]
pub struct Picker {
    pools: ArcSwap<Pools>,
    profile: ArcSwap<Profile>,
    in_flight: Mutex<InFlight>,
    targets: Targets,
    live: Live,
    decisions: Decisions,
    published: AtomicBool,
}

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
    /// Whether only a pick may serve: then the list goes on from its start, as far as retries go.
    pub fail_close: bool,
    /// Address and Pod (`namespace/name`) of each.
    pub endpoints: Vec<(SocketAddr, String)>,
}

#[derive(Debug)]
struct Members {
    fail_close: bool,
    all: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    address: Arc<str>,
    pod: Arc<str>,
    /// What its engine said last.
    slot: Arc<Slot>,
    /// Where and how to ask it.
    target: Option<Target>,
}

/// What came of a request.
pub(crate) struct Picked {
    pub decision: Decision,
    pub ticket: Option<Ticket>,
    /// The value of [`kthena_core::wire::DESTINATION`]; empty where nobody was picked.
    pub destination: String,
}

/// A request in flight: dropping it is its end.
#[derive(Debug)]
pub struct Ticket {
    picker: Arc<Picker>,
    address: Arc<str>,
}

// === impl Picker ===

impl Picker {
    /// A picker without endpoints, which remembers [`Decisions::DEFAULT_LIMIT`] decisions.
    pub fn new(profile: Profile) -> Arc<Self> {
        Self::remembering(profile, Decisions::DEFAULT_LIMIT)
    }

    /// A picker without endpoints, which remembers that many decisions; 0 for none.
    pub fn remembering(profile: Profile, decisions: usize) -> Arc<Self> {
        Arc::new(Self {
            pools: ArcSwap::default(),
            profile: ArcSwap::from_pointee(profile),
            in_flight: Mutex::default(),
            targets: Targets::default(),
            live: Live::new(),
            decisions: Decisions::new(decisions),
            published: AtomicBool::new(false),
        })
    }

    /// Replaces the endpoints; requests in flight keep counting, and what engines said stays known.
    pub fn publish(&self, mut pools: Pools) {
        let members = pools.by_target.values_mut().flat_map(|members| &mut members.all);
        self.targets.replace(members.filter_map(|member| Some((member.target.clone()?, &mut member.slot))));
        pools.names.remember(&self.pools.load().names);
        self.pools.store(Arc::new(pools));
        self.published.store(true, Ordering::Release);
    }

    /// Whether it was ever told about endpoints.
    pub fn ready(&self) -> bool {
        self.published.load(Ordering::Acquire)
    }

    /// Decides for a request; `None` for a target that nobody published.
    ///
    /// The first pick is in flight until the ticket is dropped.
    pub fn pick(
        self: &Arc<Self>,
        request: &Request<'_>,
        random: impl FnMut() -> u64,
    ) -> Option<(Decision, Option<Ticket>)> {
        self.pick_by_laps(request, random, |_| ()).map(|Picked { decision, ticket, .. }| (decision, ticket))
    }

    /// As [`Picker::pick`]; `lap` hears the end of each step.
    pub(crate) fn pick_by_laps(
        self: &Arc<Self>,
        request: &Request<'_>,
        mut random: impl FnMut() -> u64,
        mut lap: impl FnMut(Lap),
    ) -> Option<Picked> {
        let pools = self.pools.load();
        let members = pools.by_target.get(request.target)?;
        let profile = self.profile.load();
        // No plugin looks at the models: they are not worth a count of references each.
        let mut endpoints: Vec<Endpoint> = members.all.iter().map(|member| member.endpoint(None)).collect();
        let mut in_flight = self.lock();
        for endpoint in &mut endpoints {
            endpoint.load.in_flight = in_flight.at(&endpoint.address);
        }
        // Deciding and counting under one lock: two requests at once must not see the same idle endpoint.
        let decision = profile.decide_by_laps(request, &endpoints, &mut random, &mut lap);
        let first = decision.addresses().next().cloned();
        if let Some(address) = &first {
            in_flight.acquire(address);
        }
        drop(in_flight);
        let ticket = first.map(|address| Ticket { picker: Arc::clone(self), address });
        let destination = if members.fail_close { decision.destination_in_turns() } else { decision.destination() };
        Some(Picked { decision, ticket, destination })
    }

    /// The Pod (`namespace/name`) at an address, or the last one that was there.
    pub fn pod(&self, address: SocketAddr) -> Option<Arc<str>> {
        self.pools.load().names.at(address)
    }

    /// What is measured of requests under way.
    pub(crate) fn live(&self) -> &Live {
        &self.live
    }

    /// The latest decisions, for people.
    pub fn decisions(&self) -> &Decisions {
        &self.decisions
    }

    /// The profile in force.
    pub fn profile(&self) -> Arc<Profile> {
        self.profile.load_full()
    }

    /// Requests in flight by address, sorted, and their sum.
    pub fn in_flight(&self) -> (Vec<(Arc<str>, u32)>, u64) {
        let in_flight = self.lock();
        let mut by_address: Vec<_> = in_flight.iter().map(|(address, count)| (Arc::clone(address), count)).collect();
        let total = in_flight.total();
        drop(in_flight);
        by_address.sort_unstable();
        (by_address, total)
    }

    /// Every endpoint that is published, by target.
    pub fn endpoints(&self) -> Vec<(String, Vec<Endpoint>)> {
        let pools = self.pools.load();
        let mut all: Vec<_> = (pools.by_target.iter())
            .map(|(target, members)| {
                (target.clone(), members.all.iter().map(|m| m.endpoint(m.slot.models())).collect::<Vec<_>>())
            })
            .collect();
        let in_flight = self.lock();
        for endpoint in all.iter_mut().flat_map(|(_, endpoints)| endpoints) {
            endpoint.load.in_flight = in_flight.at(&endpoint.address);
        }
        drop(in_flight);
        all.sort_by(|(a, _): &(String, Vec<Endpoint>), (b, _)| a.cmp(b));
        all
    }

    /// The endpoints whose engines are asked for their metrics, and what they said.
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    fn lock(&self) -> MutexGuard<'_, InFlight> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Pools ===

impl Pools {
    /// The endpoints of each target.
    pub fn new<P: Into<Pool>>(pools: impl IntoIterator<Item = (String, P)>) -> Self {
        let mut names = HashMap::new();
        let mut by_target = HashMap::new();
        for (name, pool) in pools {
            let Pool { engine, fail_close, endpoints } = pool.into();
            let member = |(address, pod): (SocketAddr, String)| {
                let pod: Arc<str> = pod.into();
                names.insert(address, Arc::clone(&pod));
                let target = engine.map(|engine| Target { address, pod: Arc::clone(&pod), engine });
                Member { address: address.to_string().into(), pod, slot: Arc::default(), target }
            };
            by_target.insert(name, Members { fail_close, all: endpoints.into_iter().map(member).collect() });
        }
        Self { by_target, names: Names::new(names) }
    }
}

// === impl Pool ===

impl From<Vec<(SocketAddr, String)>> for Pool {
    /// Endpoints of which nobody knows what runs there.
    fn from(endpoints: Vec<(SocketAddr, String)>) -> Self {
        Self { engine: None, fail_close: false, endpoints }
    }
}

// === impl Member ===

impl Member {
    /// What is known without the lock: nothing is in flight yet.
    fn endpoint(&self, models: Option<Arc<Vec<Model>>>) -> Endpoint {
        let load = Load { in_flight: 0, signals: self.slot.signals() };
        Endpoint { address: Arc::clone(&self.address), pod: Arc::clone(&self.pod), load, models }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.picker.lock().release(&self.address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: Request<'static> = Request { target: "default/a", model: "m" };

    fn picker(endpoints: u8) -> Arc<Picker> {
        let picker = Picker::new(Profile::default());
        let endpoints = (1..=endpoints).map(|i| (SocketAddr::from(([10, 0, 0, i], 8000)), format!("default/p-{i}")));
        picker.publish(Pools::new([("default/a".to_owned(), endpoints.collect::<Vec<_>>())]));
        picker
    }

    #[test]
    fn simultaneous_requests_go_to_different_endpoints() {
        let picker = picker(3);
        let tickets: Vec<_> = (0..3).map(|_| picker.pick(&REQUEST, || 0).unwrap().1).collect();
        let (by_address, total) = picker.in_flight();
        assert_eq!(total, 3);
        assert!(by_address.iter().all(|(_, count)| *count == 1), "{by_address:?}");
        drop(tickets);
        assert_eq!(picker.in_flight(), (vec![], 0));
    }

    #[test]
    fn where_only_a_pick_may_serve_the_list_lasts_for_every_retry() {
        let destination = |fail_close: bool, count: u8| {
            let picker = Picker::new(Profile::default());
            let endpoints = (1..=count).map(|i| (SocketAddr::from(([10, 0, 0, i], 1)), format!("default/p-{i}")));
            let pool = Pool { fail_close, ..Pool::from(endpoints.collect::<Vec<_>>()) };
            picker.publish(Pools::new([("default/a".to_owned(), pool)]));
            let Picked { decision, destination, .. } = picker.pick_by_laps(&REQUEST, || 0, |_| ()).unwrap();
            assert_eq!(decision.picks.len(), usize::from(count.min(5)), "each is picked once");
            destination
        };
        for (count, once, in_turns) in [
            (0, "", ""),
            (1, "10.0.0.1:1", "10.0.0.1:1,10.0.0.1:1,10.0.0.1:1,10.0.0.1:1,10.0.0.1:1"),
            (2, "10.0.0.1:1,10.0.0.2:1", "10.0.0.1:1,10.0.0.2:1,10.0.0.1:1,10.0.0.2:1,10.0.0.1:1"),
        ] {
            assert_eq!((destination(false, count).as_str(), destination(true, count).as_str()), (once, in_turns));
        }
        assert_eq!(destination(false, 7).split(',').count(), 5);
        assert_eq!(destination(false, 7), destination(true, 7));
    }

    #[test]
    fn an_unknown_target_gets_no_pick_and_an_empty_one_no_ticket() {
        let picker = picker(0);
        assert!(picker.pick(&Request { target: "default/b", ..REQUEST }, || 0).is_none());
        let (decision, ticket) = picker.pick(&REQUEST, || 0).unwrap();
        assert!(decision.picks.is_empty() && ticket.is_none());
    }

    #[test]
    fn requests_in_flight_survive_a_new_configuration() {
        let picker = picker(2);
        let (_, ticket) = picker.pick(&REQUEST, || 0).unwrap();
        picker.publish(Pools::default());
        assert_eq!(picker.in_flight().1, 1);
        drop(ticket);
        assert_eq!(picker.in_flight().1, 0);
    }

    #[test]
    fn it_is_ready_once_it_was_told_about_endpoints() {
        let picker = Picker::new(Profile::default());
        assert!(!picker.ready());
        picker.publish(Pools::default());
        assert!(picker.ready());
    }
}
