//! A fleet of engines that say something of themselves, and requests for it.

use super::prefix::prompt;
use kthena_core::engine::{Adapters, Model, Observation};
use kthena_core::fleet::{Ended, Fleet};
use kthena_core::scheduling::{Endpoint, Profile, Request, Signals, Snapshot};
use std::sync::Arc;
use std::time::Duration;

/// The target that all endpoints serve.
pub const TARGET: &str = "default/model";

/// When requests come.
pub const NOW: Duration = Duration::from_secs(10);

/// Hashes of each prompt's beginning that all prompts share: a system prompt.
pub const SHARED: usize = 64;

/// SplitMix64 (Steele, Lea, Flood 2014).
pub fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A prompt that begins as all others do.
pub fn chat(number: u64, hashes: usize) -> Vec<u64> {
    let mut chain = prompt(0, SHARED);
    chain.extend(prompt(number + 1, hashes - SHARED));
    chain
}

/// So many endpoints, each different in load, latency and cache usage, with some requests in flight and the system
/// prompt in every cache.
pub fn fleet(endpoints: u32) -> Fleet {
    let mut fleet = Fleet::default();
    let address = |number: u32| -> Arc<str> { format!("10.{}.{}.1:8000", number / 256, number % 256).into() };
    let endpoint = |number| Endpoint { address: address(number), pod: format!("default/pod-{number}").into() };
    fleet.publish([(TARGET, (0..endpoints).map(endpoint).collect())]);
    let model = |id: &str, parent: Option<&str>| Model { id: id.to_owned(), parent: parent.map(str::to_owned) };
    let models = Arc::new(vec![model("model", None), model("a", Some("model")), model("b", Some("model"))]);
    let mut seed = 1;
    for number in 0..endpoints {
        let address = address(number);
        fleet.list(&address, Arc::clone(&models));
        let mut share = || (random(&mut seed) >> 40) as f32 / (1u64 << 24) as f32;
        let signals = Signals {
            running: Some((share() * 64.0) as u32),
            waiting: Some(0),
            kv_cache_usage: Some(share()),
            kv_cache_tokens: Some(400_000),
            ttft: Some(0.1 + share()),
            tpot: Some(0.01 + share() / 50.0),
            asleep: false,
        };
        let adapters = Some(Adapters { running: vec!["a".to_owned()], waiting: vec![], max: Some(4) });
        fleet.observe(&address, Some(Observation { signals, adapters, restarted: false }), Snapshot::default());
        let times = Some(Duration::from_millis(100 + u64::from(number % 7)));
        let ended = Ended {
            address: Some(&address),
            status: 200,
            ttft: times,
            tpot: times,
            duration: times,
            ..Ended::default()
        };
        fleet.completed(&ended, NOW);
    }
    // One after the other while they are in flight: every endpoint gets some.
    let profile = Profile::default();
    let mut seed = 2;
    let dispatches: Vec<_> = (0..u64::from(endpoints) * 4)
        .filter_map(|number| {
            let prefix = chat(number, SHARED + 16);
            let request = Request { target: TARGET, model: "model", tokens: 1500, prefix: &prefix };
            fleet.pick(&profile, &request, None, NOW, &mut || random(&mut seed), &mut |_| ())?.dispatch
        })
        .collect();
    for dispatch in dispatches.into_iter().step_by(2) {
        fleet.end(dispatch);
    }
    fleet
}
