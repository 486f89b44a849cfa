//! What is known of all engines, and the picks that follow from it.
//!
//! One value holds what a pick must see at once: who has what in flight, what engines said last, how fast they
//! were, whose cache holds which prompt. Deciding and counting are one step, so that two requests at once do not
//! see the same idle endpoint. Nothing here waits or reads a clock: whoever owns it does.
//!
//! An endpoint keeps its place ([`Slot`]) for as long as it is published or has requests in flight, so that counts
//! outlive its absence: one that comes back is not thought idle.

mod blame;
mod dispatch;
mod ejection;
mod engine;
mod prefill;
#[cfg(test)]
mod tests;
mod together;

pub use dispatch::{Dispatch, Ended};

use crate::engine::{Model, Observation};
use crate::prefix::{Blocks, Index};
use crate::scheduling::{Decision, Endpoint, Known, Lap, Load, MAX_PICKS, Profile, Random, Request, Snapshot};
use dispatch::{Pending, Sent};
use ejection::Answers;
use engine::Engine;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use together::Together;

/// The place of an endpoint in the fleet; another one may have it later.
pub type Slot = u32;

/// So many lists of models are looked through for one alike.
const ALIKE: usize = 64;

/// All engines, and the pools that they serve.
#[derive(Debug, Default)]
pub struct Fleet {
    engines: Vec<Engine>,
    free: Vec<Slot>,
    by_address: HashMap<Arc<str>, Slot>,
    pools: HashMap<String, Pool>,
    pending: Pending,
    in_flight: u64,
    /// Whose cache holds which prompt.
    index: Index,
    together: Together,
    /// Endpoints that were ejected and have not served since; most often none.
    unwell: Vec<Slot>,
    /// The number of the pool that came last.
    last_pool: u32,
    /// Whose measurements were looked at last.
    turn: usize,
    /// How many hashes of the prompt at hand each engine holds, by slot.
    matches: Vec<u16>,
}

/// What came of a request.
#[derive(Debug)]
pub struct Pick {
    /// Why whom.
    pub decision: Decision,
    /// The first pick's; `None` where there is none.
    pub dispatch: Option<Dispatch>,
    /// What the prompt's prefix told; `None` where the profile does not ask for it, or there is none.
    pub prefix: Option<PrefixUse>,
}

/// What a prompt's prefix told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PrefixUse {
    /// The largest share of the prompt that any endpoint has, in [0, 1].
    pub best: f64,
    /// Hashes that had to go to make room for this prompt's.
    pub evicted: usize,
}

/// An endpoint, for people.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// `ip:port`
    pub address: Arc<str>,
    /// `namespace/name`
    pub pod: Arc<str>,
    /// What it is doing now.
    pub load: Load,
    /// The models and adapters that it serves; `None` when it never said.
    pub models: Option<Arc<Vec<Model>>>,
    /// For how long it is left out, as it failed lately; `None` while it may be picked.
    pub ejected: Option<Duration>,
}

/// The endpoints of one target.
#[derive(Debug)]
struct Pool {
    endpoints: Arc<[Endpoint]>,
    slots: Vec<Slot>,
    answers: Answers,
}

// === impl Fleet ===

impl Fleet {
    /// Replaces the targets and their endpoints. What is known of an endpoint stays known while the same Pod is at
    /// its address; requests in flight count on whatever becomes of it.
    pub fn publish<'a>(&mut self, pools: impl IntoIterator<Item = (&'a str, Vec<Endpoint>)>) {
        self.engines.iter_mut().for_each(|engine| engine.published = false);
        let pools = pools.into_iter().map(|(target, endpoints)| {
            let slots = endpoints.iter().map(|endpoint| self.place(endpoint)).collect();
            (target.to_owned(), Pool { endpoints: endpoints.into(), slots, answers: Answers::default() })
        });
        let mut pools: HashMap<_, _> = pools.collect();
        for (target, pool) in &mut pools {
            pool.answers = self.pools.get(target).map_or_else(
                || {
                    self.last_pool = self.last_pool.wrapping_add(1);
                    Answers { pool: self.last_pool, ..Answers::default() }
                },
                |same| same.answers,
            );
        }
        self.pools = pools;
        for slot in 0..self.engines.len() as Slot {
            self.vacate(slot);
        }
    }

    /// Decides for a request; `None` for a target that nobody published.
    ///
    /// The first pick is in flight until its [`Dispatch`] is handed back to [`Fleet::end`]. `key` is the request's
    /// own, under which [`Fleet::completed`] hears of its end; `lap` hears the end of each step.
    pub fn pick(
        &mut self,
        profile: &Profile,
        request: &Request<'_>,
        key: Option<u64>,
        now: Duration,
        random: &mut Random<'_>,
        lap: &mut dyn FnMut(Lap),
    ) -> Option<Pick> {
        // One after the other: what was measured a minute ago may be forgotten some picks late.
        self.turn = if self.turn + 1 < self.engines.len() { self.turn + 1 } else { 0 };
        if let Some(engine) = self.engines.get_mut(self.turn) {
            engine.refresh(now);
        }
        let pool = self.pools.get(request.target)?;
        let blocks = profile.prefix().map(|arguments| arguments.blocks).filter(|_| !request.prefix.is_empty());
        let out = self.out_of(pool, now);
        let matches = &mut self.matches;
        matches.clear();
        if blocks.is_some() {
            matches.resize(self.engines.len(), 0);
            self.index.matches(request.prefix, matches);
        }
        let per_byte = blocks.map_or(0.0, |blocks| 1.0 / blocks.covered(request.prefix.len()).max(1) as f64);
        // Whoever has the same of a prompt comes often: what all begin with.
        let mut last = (0, 0.0);
        let mut share = |slot: &Slot| {
            let hashes = matches.get(*slot as usize).copied().unwrap_or(0);
            if hashes != last.0 {
                let covered = |blocks: Blocks| blocks.covered(usize::from(hashes)) as f64 * per_byte;
                let whole = usize::from(hashes) == request.prefix.len();
                last = (hashes, if whole { 1.0 } else { blocks.map_or(0.0, covered) });
            }
            last.1
        };
        let engines = || pool.slots.iter().filter_map(|slot| Some((slot, self.engines.get(*slot as usize)?)));
        let (routers, seconds) = (self.together.routers(), now.as_secs_f64());
        let mut loads: Vec<Load> = Vec::with_capacity(pool.slots.len());
        for (_, engine) in engines() {
            // As a slice: one by one it would be taken apart and put together again.
            loads.extend_from_slice(std::slice::from_ref(&engine.load));
            if let Some(load) = loads.last_mut() {
                engine.bring_up(load, routers, seconds);
            }
        }
        let known = engines().enumerate().map(|(index, (slot, engine))| Known {
            ejected: !out.is_empty() && out.binary_search(&index).is_ok(),
            ..engine.known(share(slot))
        });
        let decision = profile.decide_by_laps(request, &pool.endpoints, loads, known, random, lap);
        let best = decision.best_match;
        let first = decision.picks.first();
        let first = first.and_then(|pick| Some((*pool.slots.get(*pick)?, decision.verdict(*pick)?.matched)));
        let (mut dispatch, mut evicted) = (None, 0);
        if let Some((slot, matched)) = first {
            let tokens = f64::from(request.tokens) * (1.0 - matched);
            if let Some(engine) = self.engines.get_mut(slot as usize) {
                engine.begin(request, tokens, seconds);
                engine.health.sent(now);
                self.in_flight += 1;
            }
            dispatch = Some(Dispatch { slot, tokens: request.tokens });
            let mut picks = [None; MAX_PICKS];
            picks.iter_mut().zip(&decision.picks).for_each(|(place, pick)| *place = pool.slots.get(*pick).copied());
            evicted = self.learn(slot, request, blocks.is_some(), key.map(|key| (key, now)), tokens, picks);
        }
        Some(Pick { decision, dispatch, prefix: blocks.map(|_| PrefixUse { best, evicted }) })
    }

    /// A request is over, whatever ended it.
    pub fn end(&mut self, dispatch: Dispatch) {
        let Some(engine) = self.engines.get_mut(dispatch.slot as usize) else { return };
        engine.end(dispatch.tokens);
        self.in_flight = self.in_flight.saturating_sub(1);
        self.vacate(dispatch.slot);
    }

    /// How a request ended, which is known some time after [`Fleet::end`].
    pub fn completed(&mut self, ended: &Ended<'_>, now: Duration) {
        let served = ended.address.and_then(|address| self.by_address.get(address)).copied();
        if let Some(engine) = served.and_then(|slot| self.engines.get_mut(slot as usize)) {
            engine.completed(ended, now);
        }
        let sent = ended.key.and_then(|key| self.pending.take(key));
        self.answered(served, ended, sent.as_ref().map_or(now, |sent| sent.at), now);
        let Some(sent) = sent else { return };
        self.blame(&sent, ended, now);
        let there = ended.address == Some(&*sent.address);
        let engine = self.engines.get_mut(sent.slot as usize).filter(|engine| engine.endpoint.address == sent.address);
        let mut computed = ended.served();
        if let (true, Some(engine)) = (there, engine) {
            // A client that went away leaves behind what was computed for it, if there was the time.
            let time = ended.duration.unwrap_or_default();
            computed |= ended.status == 0 && time >= engine.prefill.time(sent.tokens);
            if let Some(ttft) = ended.ttft {
                engine.prefill.observe(sent.tokens, ttft);
            }
        }
        let Some(stamp) = sent.stamp else { return };
        if there && computed {
            return;
        }
        self.index.retract(sent.slot, &sent.prefix, stamp);
        if let Some(slot) = served.filter(|_| ended.served()) {
            self.index.learn(slot, &sent.prefix);
        }
    }

    /// Hashes of prompts that are known to be at some endpoint, counted at each.
    pub fn prefix_entries(&self) -> usize {
        self.index.entries()
    }

    /// Sets how many hashes of prompts an endpoint may hold (`maxHashCacheSize`).
    pub fn set_prefix_capacity(&mut self, hashes: usize) {
        self.index.set_capacity(hashes);
    }

    /// An engine said something of itself. `before` is what was in flight there when it was asked.
    pub fn observe(&mut self, address: &str, observation: Option<Observation>, before: Snapshot) {
        let Some(slot) = self.by_address.get(address).copied() else { return };
        let Some(engine) = self.engines.get_mut(slot as usize) else { return };
        // Its cache went with the process, or when it went to sleep.
        if observation.as_ref().is_some_and(|said| said.restarted || said.signals.asleep) {
            self.index.forget(slot);
            engine.restarted();
        }
        let earlier = engine.said();
        engine.observe(observation, before);
        if let (Some(earlier), Some(said)) = (earlier, engine.said()) {
            self.together.observe(earlier, said);
        }
    }

    /// An engine listed its models.
    pub fn list(&mut self, address: &str, models: Arc<Vec<Model>>) {
        // Replicas list the same: one list for all of them is read faster than one for each.
        let others = self.engines.iter().filter_map(|engine| engine.models.as_ref());
        let models = others.take(ALIKE).find(|others| **others == models).map_or(models, Arc::clone);
        let slot = self.by_address.get(address).copied();
        if let Some(engine) = slot.and_then(|slot| self.engines.get_mut(slot as usize)) {
            engine.models = Some(models);
        }
    }

    /// What is in flight at an address.
    pub fn in_flight_at(&self, address: &str) -> Snapshot {
        let slot = self.by_address.get(address);
        slot.and_then(|slot| self.engines.get(*slot as usize)).map(Engine::snapshot).unwrap_or_default()
    }

    /// Requests in flight by address, in no order, and their sum.
    pub fn in_flight(&self) -> (Vec<(Arc<str>, u32)>, u64) {
        let counts = self.engines.iter().map(|engine| (&engine.endpoint.address, engine.snapshot().in_flight));
        let busy = counts.filter(|(_, in_flight)| *in_flight > 0);
        (busy.map(|(address, in_flight)| (Arc::clone(address), in_flight)).collect(), self.in_flight)
    }

    /// Every target with its endpoints and what is known of them, in no order.
    pub fn endpoints(&self, now: Duration) -> Vec<(String, Vec<Seen>)> {
        let seen = |pool: &Pool| {
            let out = self.out_of(pool, now);
            let seen = pool.slots.iter().enumerate().filter_map(|(index, slot)| {
                Some(self.engines.get(*slot as usize)?.seen(out.binary_search(&index).is_ok(), now))
            });
            seen.collect()
        };
        self.pools.iter().map(|(target, pool)| (target.clone(), seen(pool))).collect()
    }

    /// Takes the prompt for the endpoint's from now on, so that the next one alike finds it there; how many had to go.
    /// `tokens` of it are to be computed. `key` is the request's, with the time.
    fn learn(
        &mut self,
        slot: Slot,
        request: &Request<'_>,
        wanted: bool,
        key: Option<(u64, Duration)>,
        tokens: f64,
        picks: [Option<Slot>; MAX_PICKS],
    ) -> usize {
        let prefix = if wanted { request.prefix } else { &[] };
        let learned = wanted.then(|| self.index.learn(slot, prefix));
        if let (Some((key, at)), Some(engine)) = (key, self.engines.get(slot as usize)) {
            let (address, stamp) = (Arc::clone(&engine.endpoint.address), learned.map(|learned| learned.stamp));
            self.pending.put(key, Sent { slot, address, stamp, prefix: prefix.into(), tokens, at, picks });
        }
        learned.map_or(0, |learned| learned.evicted)
    }

    /// The place of an endpoint, a new one where it has none.
    fn place(&mut self, endpoint: &Endpoint) -> Slot {
        let slot = match self.by_address.get(&endpoint.address) {
            Some(slot) => *slot,
            None => {
                let slot = self.free.pop().unwrap_or_else(|| {
                    self.engines.push(Engine::default());
                    (self.engines.len() - 1) as Slot
                });
                self.by_address.insert(Arc::clone(&endpoint.address), slot);
                slot
            }
        };
        if let Some(engine) = self.engines.get_mut(slot as usize) {
            if engine.endpoint != *endpoint {
                self.index.forget(slot);
                engine.replace(endpoint);
            }
            engine.published = true;
        }
        slot
    }

    /// Gives a place back that nobody is published at and nothing is in flight to.
    fn vacate(&mut self, slot: Slot) {
        let Some(engine) = self.engines.get_mut(slot as usize) else { return };
        if engine.published || engine.endpoint.address.is_empty() {
            return;
        }
        self.index.forget(slot);
        engine.forget();
        if engine.snapshot().in_flight == 0 {
            self.by_address.remove(&engine.endpoint.address);
            *engine = Engine::default();
            self.free.push(slot);
        }
    }
}
