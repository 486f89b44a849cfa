//! What the picker knows: the endpoints of every target, and who is busy.

use crate::decisions::Decisions;
use arc_swap::ArcSwap;
use kthena_core::inflight::InFlight;
use kthena_core::scheduling::{Decision, Endpoint, Load, Profile, Request};
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
    decisions: Decisions,
    published: AtomicBool,
}

/// The endpoints of every target (`namespace/name` of a ModelServer).
#[derive(Debug, Default)]
pub struct Pools {
    by_target: HashMap<String, Vec<Member>>,
}

#[derive(Debug)]
struct Member {
    address: Arc<str>,
    pod: Arc<str>,
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
            decisions: Decisions::new(decisions),
            published: AtomicBool::new(false),
        })
    }

    /// Replaces the endpoints; requests in flight keep counting.
    pub fn publish(&self, pools: Pools) {
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
        mut random: impl FnMut() -> u64,
    ) -> Option<(Decision, Option<Ticket>)> {
        let pools = self.pools.load();
        let members = pools.by_target.get(request.target)?;
        let profile = self.profile.load();
        let mut in_flight = self.lock();
        let endpoints: Vec<Endpoint> = members.iter().map(|member| member.endpoint(&in_flight)).collect();
        // Deciding and counting under one lock: two requests at once must not see the same idle endpoint.
        let decision = profile.decide(request, &endpoints, &mut random);
        let first = decision.addresses().next().cloned();
        if let Some(address) = &first {
            in_flight.acquire(address);
        }
        drop(in_flight);
        let ticket = first.map(|address| Ticket { picker: Arc::clone(self), address });
        Some((decision, ticket))
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
        let in_flight = self.lock();
        let mut all: Vec<_> = (pools.by_target.iter())
            .map(|(target, members)| (target.clone(), members.iter().map(|m| m.endpoint(&in_flight)).collect()))
            .collect();
        drop(in_flight);
        all.sort_by(|(a, _): &(String, Vec<Endpoint>), (b, _)| a.cmp(b));
        all
    }

    fn lock(&self) -> MutexGuard<'_, InFlight> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Pools ===

impl Pools {
    /// The endpoints of each target: address and Pod (`namespace/name`).
    pub fn new(pools: impl IntoIterator<Item = (String, Vec<(SocketAddr, String)>)>) -> Self {
        let members = |endpoints: Vec<(SocketAddr, String)>| {
            let member =
                |(address, pod): (SocketAddr, String)| Member { address: address.to_string().into(), pod: pod.into() };
            endpoints.into_iter().map(member).collect()
        };
        Self { by_target: pools.into_iter().map(|(target, endpoints)| (target, members(endpoints))).collect() }
    }
}

// === impl Member ===

impl Member {
    fn endpoint(&self, in_flight: &InFlight) -> Endpoint {
        Endpoint {
            address: Arc::clone(&self.address),
            pod: Arc::clone(&self.pod),
            load: Load { in_flight: in_flight.at(&self.address), signals: None },
            models: None,
        }
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
        picker.publish(Pools::new([("default/a".to_owned(), endpoints.collect())]));
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
