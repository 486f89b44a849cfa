//! Several pickers, each with its own fleet, over engines whose figures are up to a second old.

use crate::engine::Observation;
use crate::fleet::{Dispatch, Ended, Fleet, Pick};
use crate::scheduling::{Arguments, Candidate, Endpoint, Plugin, Profile, Random, Request, Scorer, Signals};
use proptest::prelude::*;
use std::time::Duration;

/// What one engine runs at once, and what its cache holds.
const BATCH: u32 = 64;
const CACHE: u32 = 400_000;

#[derive(Debug, Clone)]
struct Scene {
    engines: usize,
    pickers: usize,
    /// Requests in each second, over all pickers.
    rate: usize,
    /// How many seconds a request takes at least; some one more.
    lasts: u64,
    tokens: u32,
    /// By how much measured times are off, in [0, 1).
    noise: f64,
    seed: u64,
}

/// A request under way.
struct Flying {
    dispatch: Dispatch,
    picker: usize,
    engine: usize,
    tokens: u32,
    until: u64,
}

fn profile(plugins: &[Plugin]) -> Profile {
    let arguments = Arguments::default();
    let filters = Plugin::FILTERS.iter().filter_map(|plugin| plugin.filter(&arguments)).collect();
    Profile::new(filters, plugins.iter().map(|plugin| (plugin.scorer(&arguments), 1.0)).collect())
}

fn address(engine: usize) -> String {
    format!("10.0.0.{engine}:8000")
}

/// By how many requests one engine ever has more than twice its fair share at the end of a second, over so many.
///
/// Ends of seconds, when figures are the oldest, and what engines have then, not what they got: whoever has less than
/// the others rightly gets more.
fn beyond_twice_the_fair_share(profile: &Profile, scene: &Scene, seconds: u64) -> usize {
    let mut random = random(scene.seed);
    let endpoint = |i| Endpoint { address: address(i).into(), pod: format!("ns/{i}").into() };
    let mut fleets: Vec<Fleet> = (0..scene.pickers).map(|_| Fleet::default()).collect();
    fleets.iter_mut().for_each(|fleet| fleet.publish([("ns/a", (0..scene.engines).map(endpoint).collect())]));
    let mut flying: Vec<Flying> = Vec::new();
    let mut beyond = 0;
    for second in 0..seconds {
        let now = Duration::from_secs(second);
        let (over, on): (Vec<_>, Vec<_>) = flying.into_iter().partition(|request| request.until <= second);
        flying = on;
        over.into_iter().for_each(|request| fleets[request.picker].end(request.dispatch));
        for engine in 0..scene.engines {
            let there = || flying.iter().filter(|request| request.engine == engine);
            let (requests, tokens) = (there().count() as u32, there().map(|request| request.tokens).sum::<u32>());
            let mut about = |figure: f64| figure * (1.0 + scene.noise * ((random() % 2001) as f64 / 1000.0 - 1.0));
            let signals = Signals {
                running: Some(requests.min(BATCH)),
                waiting: Some(requests.saturating_sub(BATCH)),
                kv_cache_usage: Some((tokens as f32 / CACHE as f32).min(1.0)),
                kv_cache_tokens: scene.seed.is_multiple_of(2).then_some(CACHE),
                ttft: Some(about(0.1) as f32),
                tpot: Some(about(0.02) as f32),
                asleep: false,
            };
            let (ttft, tpot) = (Duration::from_secs_f64(about(0.1)), Duration::from_secs_f64(about(0.02)));
            for fleet in &mut fleets {
                let before = fleet.in_flight_at(&address(engine));
                fleet.observe(
                    &address(engine),
                    Some(Observation { signals, adapters: None, restarted: false }),
                    before,
                );
                if second > 0 {
                    let address = address(engine);
                    let (ttft, tpot) = (Some(ttft), Some(tpot));
                    let ended = Ended { address: Some(&address), status: 200, ttft, tpot, ..Ended::default() };
                    fleet.completed(&ended, now);
                }
            }
        }
        for _ in 0..scene.rate {
            let picker = random() as usize % scene.pickers;
            let tokens = scene.tokens / 2 + random() as u32 % scene.tokens;
            let request = Request { target: "ns/a", model: "m", tokens, prefix: &[] };
            let picked = fleets[picker].pick(profile, &request, None, now, &mut random, &mut |_| ());
            let Some(Pick { decision, dispatch: Some(dispatch), .. }) = picked else { continue };
            let engine = decision.picks[0];
            flying.push(Flying { dispatch, picker, engine, tokens, until: second + scene.lasts + random() % 2 });
        }
        let mut has = vec![0usize; scene.engines];
        flying.iter().for_each(|request| has[request.engine] += 1);
        let most = has.into_iter().max().unwrap_or(0);
        beyond = beyond.max(most.saturating_sub(2 * flying.len().div_ceil(scene.engines)));
    }
    beyond
}

/// SplitMix64 (Steele, Lea, Flood 2014).
fn random(mut seed: u64) -> impl FnMut() -> u64 {
    move || {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

fn scenes() -> impl Strategy<Value = Scene> {
    (2usize..9, 1usize..4, 1usize..20, 1u64..4, 50u32..3000, 0.0f64..0.2, any::<u64>()).prop_map(
        |(engines, pickers, each, lasts, tokens, noise, seed)| {
            let rate = each * engines;
            Scene { engines, pickers, rate, lasts, tokens, noise, seed }
        },
    )
}

/// What upstream's `gpu-usage` goes by.
struct AsSaid;

impl Scorer for AsSaid {
    fn name(&self) -> &'static str {
        "as-said"
    }

    fn score(&self, _: &Request<'_>, candidates: &[Candidate<'_>], _: &mut Random<'_>, scores: &mut [f64]) {
        for (candidate, score) in candidates.iter().zip(scores) {
            *score = 1.0 - candidate.load.signals.and_then(|signals| signals.kv_cache_usage).unwrap_or(0.0) as f64;
        }
    }
}

#[test]
fn figures_as_they_were_said_would_herd() {
    let scene = Scene { engines: 4, pickers: 2, rate: 80, lasts: 2, tokens: 1000, noise: 0.1, seed: 2 };
    let beyond = |profile| beyond_twice_the_fair_share(&profile, &scene, 5);
    assert!(beyond(Profile::new(vec![], vec![(Box::new(AsSaid), 1.0)])) > 8);
    assert_eq!(beyond(profile(&[Plugin::GpuUsage])), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Nobody ends a second with more than twice its fair share of all requests, and four more for each picker, which
    /// does not see until the next scrape what the others do.
    #[test]
    fn equal_engines_share_alike_between_scrapes(scene in scenes()) {
        use Plugin::{GpuUsage, LeastLatency, LeastRequest, LoraAffinity, PrefixCache};
        for plugins in [
            &[LeastRequest, GpuUsage, LeastLatency, PrefixCache][..],
            &[LeastRequest],
            &[LeastRequest, PrefixCache],
            &[LeastRequest, LeastLatency],
            &[LeastRequest, GpuUsage],
            &[LeastLatency],
            &[GpuUsage],
            &[LeastRequest, LoraAffinity],
            &[LeastRequest, LeastLatency, PrefixCache],
        ] {
            let beyond = beyond_twice_the_fair_share(&profile(plugins), &scene, 5);
            prop_assert!(beyond <= 4 * scene.pickers, "{beyond} too many with {plugins:?}");
        }
    }
}
