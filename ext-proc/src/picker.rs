//! What the picker knows: the endpoints of every target, and who is busy.

mod names;
mod pools;

pub use pools::{Pool, Pools};

use crate::decisions::Decisions;
use crate::scrape::Targets;
use crate::telemetry::Live;
use arc_swap::ArcSwap;
use kthena_core::engine::{Model, Observation};
use kthena_core::fleet::{Dispatch, Ended, Fleet, Pick, PrefixUse, Seen};
use kthena_core::scheduling::{Decision, Lap, Profile, Request, Snapshot};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Chooses endpoints and counts what is in flight.
#[derive(Debug)]
pub struct Picker {
    /// Time is counted from here.
    start: Instant,
    pools: ArcSwap<Pools>,
    profiles: ArcSwap<Profiles>,
    fleet: Mutex<Fleet>,
    targets: Targets,
    live: Live,
    decisions: Decisions,
    published: AtomicBool,
    leaving: AtomicBool,
}

/// The ways of choosing that the configuration describes.
#[derive(Debug, Default)]
pub struct Profiles {
    /// For ModelServers that name none.
    pub default: Arc<Profile>,
    /// By the name that ModelServers give.
    pub named: BTreeMap<String, Arc<Profile>>,
}

/// What came of a request.
pub(crate) struct Picked {
    pub decision: Decision,
    pub ticket: Option<Ticket>,
    /// The value of [`kthena_core::wire::DESTINATION`]; empty where nobody was picked.
    pub destination: String,
    pub prefix: Option<PrefixUse>,
}

/// A request in flight: dropping it is its end.
#[derive(Debug)]
pub struct Ticket {
    picker: Arc<Picker>,
    dispatch: Option<Dispatch>,
}

// === impl Picker ===

impl Picker {
    /// A picker without endpoints, which remembers [`Decisions::DEFAULT_LIMIT`] decisions.
    pub fn new(profile: Profile) -> Arc<Self> {
        Self::remembering(profile, Decisions::DEFAULT_LIMIT)
    }

    /// A picker without endpoints, which remembers that many decisions; 0 for none.
    pub fn remembering(profiles: impl Into<Profiles>, decisions: usize) -> Arc<Self> {
        let picker = Arc::new(Self {
            start: Instant::now(),
            pools: ArcSwap::default(),
            profiles: ArcSwap::default(),
            fleet: Mutex::default(),
            targets: Targets::default(),
            live: Live::new(),
            decisions: Decisions::new(decisions),
            published: AtomicBool::new(false),
            leaving: AtomicBool::new(false),
        });
        picker.configure(profiles.into());
        picker
    }

    /// Replaces the ways of choosing, from the next request on. Durations of plugins that are in none of them any more
    /// are shown no longer.
    ///
    /// All profiles share what is remembered of prompts: the largest of their sizes counts.
    pub fn configure(&self, profiles: Profiles) {
        if let Some(hashes) = profiles.prefix_capacity() {
            self.lock().set_prefix_capacity(hashes);
        }
        let profiles = Arc::new(profiles);
        self.profiles.store(Arc::clone(&profiles));
        self.live.plugins_are(&profiles);
    }

    /// Replaces the endpoints; requests in flight keep counting, and what engines said stays known.
    pub fn publish(&self, mut pools: Pools) {
        pools.remember(&self.pools.load());
        // Before anybody is asked: what an engine says is kept where its endpoint is known.
        self.lock().publish(pools.endpoints());
        self.targets.replace(pools.targets());
        self.pools.store(Arc::new(pools));
        self.published.store(true, Ordering::Release);
    }

    /// Whether it was ever told about endpoints, and is not about to leave.
    pub fn ready(&self) -> bool {
        self.published.load(Ordering::Acquire) && !self.leaving.load(Ordering::Acquire)
    }

    /// Says from now on that it is not ready, and goes on picking.
    pub fn leave(&self) {
        self.leaving.store(true, Ordering::Release);
    }

    /// Decides for a request; `None` for a target that nobody published.
    ///
    /// The first pick is in flight until the ticket is dropped.
    pub fn pick(
        self: &Arc<Self>,
        request: &Request<'_>,
        random: impl FnMut() -> u64,
    ) -> Option<(Decision, Option<Ticket>)> {
        self.pick_by_laps(request, None, random, |_| ()).map(|Picked { decision, ticket, .. }| (decision, ticket))
    }

    /// As [`Picker::pick`]; `key` is the request's own in the access log, `lap` hears the end of each step.
    pub(crate) fn pick_by_laps(
        self: &Arc<Self>,
        request: &Request<'_>,
        key: Option<u64>,
        mut random: impl FnMut() -> u64,
        mut lap: impl FnMut(Lap),
    ) -> Option<Picked> {
        let pools = self.pools.load();
        let profile = self.profiles.load().of(pools.profile(request.target));
        let now = self.now();
        let Pick { decision, dispatch, prefix } =
            self.lock().pick(&profile, request, key, now, &mut random, &mut lap)?;
        let ticket = dispatch.map(|dispatch| Ticket { picker: Arc::clone(self), dispatch: Some(dispatch) });
        // Behind the end of the list Envoy takes any endpoint, those that were dropped too.
        let in_turns = pools.fail_close(request.target) || decision.dropped_any();
        let destination = if in_turns { decision.destination_in_turns() } else { decision.destination() };
        Some(Picked { decision, ticket, destination, prefix })
    }

    /// Hears how a request ended.
    pub fn completed(&self, ended: &Ended<'_>) {
        let now = self.now();
        self.lock().completed(ended, now);
    }

    /// Hears what an engine says of itself, `None` when that is too old to be believed. `before`: what was in flight
    /// there when it was asked.
    pub(crate) fn observe(&self, address: &str, observation: Option<Observation>, before: Snapshot) {
        self.lock().observe(address, observation, before);
    }

    /// Hears which models an engine serves.
    pub(crate) fn list(&self, address: &str, models: Arc<Vec<Model>>) {
        self.lock().list(address, models);
    }

    /// What is in flight at an address.
    pub(crate) fn in_flight_at(&self, address: &str) -> Snapshot {
        self.lock().in_flight_at(address)
    }

    /// The Pod (`namespace/name`) at an address, or the last one that was there.
    pub fn pod(&self, address: SocketAddr) -> Option<Arc<str>> {
        self.pools.load().pod(address)
    }

    /// What is measured of requests under way.
    pub(crate) fn live(&self) -> &Live {
        &self.live
    }

    /// The latest decisions, for people.
    pub fn decisions(&self) -> &Decisions {
        &self.decisions
    }

    /// The name of the profile that a ModelServer asks for; `default` where it asks for none.
    pub(crate) fn with_profile_name<T>(&self, target: &str, with: impl FnOnce(&str) -> T) -> T {
        with(self.pools.load().profile(target).unwrap_or("default"))
    }

    /// The profile in force for a target.
    pub fn profile(&self, target: &str) -> Arc<Profile> {
        self.profiles.load().of(self.pools.load().profile(target))
    }

    /// Requests in flight by address, sorted, and their sum.
    pub fn in_flight(&self) -> (Vec<(Arc<str>, u32)>, u64) {
        let (mut by_address, total) = self.lock().in_flight();
        by_address.sort_unstable();
        (by_address, total)
    }

    /// Every endpoint that is published, by target.
    pub fn endpoints(&self) -> Vec<(String, Vec<Seen>)> {
        let now = self.now();
        let mut all = self.lock().endpoints(now);
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all
    }

    /// Endpoints that are left out, as they failed lately, and for how long; sorted.
    pub fn ejected(&self) -> Vec<(Arc<str>, Duration)> {
        let mut ejected = self.lock().ejected(self.now());
        ejected.sort_unstable();
        ejected
    }

    /// Hashes of prompts that are known to be at some endpoint, counted at each.
    pub fn prefix_entries(&self) -> usize {
        self.lock().prefix_entries()
    }

    /// The endpoints whose engines are asked for their metrics, and what they said.
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, Fleet> {
        self.fleet.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Profiles ===

impl Profiles {
    /// The default one and those that have a name.
    pub fn new(default: Profile, named: BTreeMap<String, Profile>) -> Self {
        let named = named.into_iter().map(|(name, profile)| (name, Arc::new(profile))).collect();
        Self { default: Arc::new(default), named }
    }

    /// Every way of choosing.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Profile> {
        std::iter::once(&self.default).chain(self.named.values()).map(|profile| &**profile)
    }

    /// How many hashes of prompts an endpoint may hold: as many as the profile says that wants the most.
    fn prefix_capacity(&self) -> Option<usize> {
        self.all().filter_map(Profile::prefix).map(|arguments| arguments.cache_size as usize).max()
    }

    /// The one of that name; the default one where it is not given, or not known (any more).
    fn of(&self, name: Option<&str>) -> Arc<Profile> {
        Arc::clone(name.and_then(|name| self.named.get(name)).unwrap_or(&self.default))
    }
}

impl From<Profile> for Profiles {
    fn from(default: Profile) -> Self {
        Self::new(default, BTreeMap::new())
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(dispatch) = self.dispatch.take() {
            self.picker.lock().end(dispatch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: Request<'static> = Request { target: "default/a", model: "m", tokens: 0, prefix: &[] };

    fn picker(endpoints: u8) -> Arc<Picker> {
        let picker = Picker::new(Profile::default());
        let endpoints = (1..=endpoints).map(|i| (SocketAddr::from(([10, 0, 0, i], 8000)), format!("default/p-{i}")));
        picker.publish(Pools::new([("default/a".to_owned(), endpoints.collect::<Vec<_>>())]));
        picker
    }

    #[test]
    fn where_only_a_pick_may_serve_the_list_lasts_for_every_retry() {
        let destination = |fail_close: bool, count: u8| {
            let picker = Picker::new(Profile::default());
            let endpoints = (1..=count).map(|i| (SocketAddr::from(([10, 0, 0, i], 1)), format!("default/p-{i}")));
            let pool = Pool { fail_close, ..Pool::from(endpoints.collect::<Vec<_>>()) };
            picker.publish(Pools::new([("default/a".to_owned(), pool)]));
            let Picked { decision, destination, .. } = picker.pick_by_laps(&REQUEST, None, || 0, |_| ()).unwrap();
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

    #[test]
    fn about_to_leave_it_picks_and_is_not_ready() {
        let picker = picker(1);
        picker.leave();
        assert!(!picker.ready());
        assert!(picker.pick(&REQUEST, || 0).is_some());
    }
}
