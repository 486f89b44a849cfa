//! Our router's way: a profile compiled from its configuration file, over the state that the picker keeps.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use fastrand::Rng;
use kthena_core::config::RouterConfiguration;
use kthena_core::engine::{Adapters, Model, Observation};
use kthena_core::fleet::{Dispatch, Ended, Fleet};
use kthena_core::prefix::{Blocks, Chain, decode, encode};
use kthena_core::scheduling::{Endpoint, Profile, Request as Asked, Signals};
use kthena_simulator::Snapshot;

use super::{Completion, Policy, Request, mean_since};

/// One picker with its own memory.
#[derive(Debug)]
pub struct Ours {
    profile: Profile,
    fleet: Fleet,
    addresses: Vec<Arc<str>>,
    /// The last page of each engine.
    pages: Vec<Snapshot>,
    dispatches: HashMap<u64, Dispatch>,
}

const TARGET: &str = "default/simulated";
const MODEL: &str = "simulated";

// === impl Ours ===

impl Ours {
    /// Chooses among so many engines, all of which list the adapters, as the router configuration says (JSON, which
    /// is YAML too).
    ///
    /// # Errors
    ///
    /// The configuration is wrong, or asks for something that this version serves without.
    pub fn new(engines: usize, configuration: &str, adapters: &[String]) -> anyhow::Result<Self> {
        let configuration: RouterConfiguration = serde_json::from_str(configuration).context("a configuration")?;
        let compiled = configuration.compile()?;
        ensure!(compiled.problems.is_empty(), "{}", compiled.problems.join("; "));
        let addresses: Vec<Arc<str>> = (1..=engines).map(|engine| format!("10.0.0.{engine}:8000").into()).collect();
        let endpoint = |address: &Arc<str>| Endpoint { address: Arc::clone(address), pod: Arc::clone(address) };
        let mut fleet = Fleet::default();
        fleet.publish([(TARGET, addresses.iter().map(endpoint).collect())]);
        let adapter = |id: &String| Model { id: id.clone(), parent: Some(MODEL.to_owned()) };
        let base = Model { id: MODEL.to_owned(), parent: None };
        let models: Arc<Vec<Model>> = Arc::new([base].into_iter().chain(adapters.iter().map(adapter)).collect());
        for address in &addresses {
            fleet.list(address, Arc::clone(&models));
        }
        if let Some(arguments) = compiled.profile.prefix() {
            fleet.set_prefix_capacity(arguments.cache_size as usize);
        }
        let pages = vec![Snapshot::default(); engines];
        Ok(Self { profile: compiled.profile, fleet, addresses, pages, dispatches: HashMap::new() })
    }
}

impl Policy for Ours {
    fn pick(&mut self, request: &Request, now: Duration, random: &mut Rng) -> Option<usize> {
        let model = request.adapter.as_deref().unwrap_or(MODEL);
        let prefix = self.profile.prefix().map_or(Vec::new(), |arguments| hashes(arguments.blocks, model, request));
        let asked = Asked {
            target: TARGET,
            model,
            tokens: u32::try_from(request.prompt.len()).unwrap_or(u32::MAX),
            prefix: &prefix,
        };
        let mut random = || random.u64(..);
        let pick = self.fleet.pick(&self.profile, &asked, Some(request.id), now, &mut random, &mut |_| ())?;
        self.dispatches.insert(request.id, pick.dispatch?);
        pick.decision.picks.first().copied()
    }

    fn ended(&mut self, request: &Request, _: usize, _: Duration) {
        if let Some(dispatch) = self.dispatches.remove(&request.id) {
            self.fleet.end(dispatch);
        }
    }

    fn completed(&mut self, completion: &Completion, now: Duration) {
        let ended = Ended {
            key: Some(completion.request),
            target: None,
            attempts: 1,
            address: self.addresses.get(completion.engine).map(|address| &**address),
            status: 200,
            ttft: Some(completion.ttft),
            tpot: Some(completion.tpot),
            duration: Some(completion.duration),
            ..Ended::default()
        };
        self.fleet.completed(&ended, now);
    }

    fn scraped(&mut self, engine: usize, page: &Snapshot, _: Duration) {
        let (Some(address), Some(last)) = (self.addresses.get(engine), self.pages.get_mut(engine)) else { return };
        let signals = Signals {
            running: u32::try_from(page.running).ok(),
            waiting: u32::try_from(page.waiting).ok(),
            kv_cache_usage: Some(page.kv_cache_usage as f32),
            kv_cache_tokens: u32::try_from(page.kv_cache_tokens).ok(),
            ttft: mean_since(last.ttft, page.ttft).map(|mean| mean as f32),
            tpot: mean_since(last.tpot, page.tpot).map(|mean| mean as f32),
            asleep: false,
        };
        let adapters = Adapters {
            running: page.running_adapters.clone(),
            waiting: page.waiting_adapters.clone(),
            max: Some(page.max_loras),
        };
        *last = page.clone();
        let before = self.fleet.in_flight_at(address);
        self.fleet.observe(address, Some(Observation { signals, adapters: Some(adapters), restarted: false }), before);
    }
}

/// What the filter computes and sends: hashes lose their upper bits on the way.
fn hashes(blocks: Blocks, model: &str, request: &Request) -> Vec<u64> {
    let mut chain = Chain::new(blocks, model);
    for token in &request.prompt {
        chain.feed(&token.to_le_bytes());
    }
    decode(&encode(&chain.finish())).unwrap_or_default()
}
