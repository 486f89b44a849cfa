use super::*;
use crate::contender::Contender;
use crate::policy::{Random, RoundRobin, Score, Several, Upstream};
use crate::workload::{Adapters, Habits, Prefixes, Sessions, Sizes};

const CLIENTS: Clients = Clients { number: 24, rate: 100.0, warm_up: 0 };
const SIZES: Sizes = Sizes { system: 64, question: 32, answer: 8 };

/// Small engines, which queue, evict and preempt under so many clients.
fn engines(number: usize) -> Vec<Options> {
    let mut options = Options { max_model_len: 512, ..Options::default() };
    options.capacity.prefill_rate = Some(5_000.0);
    options.capacity.num_gpu_blocks = Some(64);
    options.capacity.max_loras = 2;
    options.capacity.lora_load_time = Duration::from_millis(200);
    vec![options; number]
}

fn policies() -> Vec<(&'static str, Box<dyn Policy>)> {
    let with = |score| Upstream::new(3, &[Score::LeastRequest, score], false);
    vec![
        ("ours", Contender::OUR_DEFAULT.policy(3, &[]).expect("our plugins")),
        ("random", Box::new(Random(3))),
        ("round-robin", Box::new(RoundRobin::new(3))),
        ("least-request", Box::new(Upstream::new(3, &[Score::LeastRequest], false))),
        ("as published", Box::new(Upstream::new(3, &[Score::LeastRequestThen], false))),
        ("gpu-usage", Box::new(with(Score::GpuUsage))),
        ("least-latency", Box::new(with(Score::LeastLatency))),
        ("prefix-cache", Box::new(with(Score::PrefixCache))),
        ("helm", Box::new(Upstream::helm_default(3))),
        ("several", Box::new(Several::new(vec![Box::new(Upstream::helm_default(3)), Box::new(Random(3))]))),
    ]
}

fn prefixes() -> Prefixes {
    Prefixes::groups(6, 20, SIZES, 1)
}

fn of(policy: &mut dyn Policy, workload: &mut dyn Workload) -> Outcome {
    run(&engines(3), CLIENTS, workload, policy, 1).expect("a run")
}

#[test]
fn every_policy_answers_every_request_once() {
    for (name, mut policy) in policies() {
        let outcome = of(&mut *policy, &mut prefixes());
        assert_eq!((outcome.latency.len(), outcome.ttft.len()), (120, 120), "{name}");
        assert_eq!(outcome.prompt_tokens, 120 * 96, "{name}");
        assert!(outcome.cached_tokens < outcome.prompt_tokens, "{name}");
        let most = outcome.in_flight.iter().map(|sample| sample.iter().sum::<u32>()).max();
        assert!(most.is_some_and(|most| most <= 24), "{name}: {most:?} in flight");
    }
}

#[test]
fn a_seed_gives_the_same_run_again() {
    for ((name, mut policy), (_, mut again)) in policies().into_iter().zip(policies()) {
        assert_eq!(of(&mut *policy, &mut prefixes()), of(&mut *again, &mut prefixes()), "{name}");
    }
    let another = run(&engines(3), CLIENTS, &mut prefixes(), &mut Random(3), 2).expect("a run");
    assert_ne!(of(&mut Random(3), &mut prefixes()), another);
}

#[test]
fn conversations_find_their_own_past_where_they_stay() {
    let habits = Habits { systems: 2, system: 32, turns: 4..=4, question: 8..=16, answer: 4..=8, think: 0..=50 };
    let sessions = || Sessions::new(habits.clone(), 30, 24, 1);
    let outcome = of(&mut Upstream::new(3, &[Score::PrefixCache], false), &mut sessions());
    assert_eq!(outcome.latency.len(), 120);
    let random = of(&mut Random(3), &mut sessions());
    assert!(outcome.hit_rate() > random.hit_rate(), "{} and {}", outcome.hit_rate(), random.hit_rate());
}

#[test]
fn several_of_our_routers_that_hear_of_each_other_a_second_late_make_no_herd() {
    let routers = || Contender::OUR_DEFAULT.policy(3, &[]).expect("our plugins");
    let outcome = of(&mut Several::new(vec![routers(), routers()]), &mut prefixes());
    let herd = of(&mut Upstream::new(3, &[Score::LeastLatency], false), &mut prefixes());
    assert!(outcome.imbalance() < 1.5 && outcome.imbalance() < herd.imbalance(), "{}", outcome.imbalance());
}

#[test]
fn adapters_seldom_move_while_the_fleet_has_slots_for_all() {
    let names: Vec<String> = (0..6).map(Adapters::name).collect();
    let affinity = Contender::for_adapters().into_iter().find(|contender| contender.name == "ours: lora-affinity");
    let affinity = affinity.expect("a contender");
    let loads = |seed: u64, policy: &mut dyn Policy| {
        let mut adapters = Adapters::zipf(6, 120, SIZES, seed);
        run(&engines(3), CLIENTS, &mut adapters, policy, seed).expect("a run").adapter_loads
    };
    // One run is short: what is drawn by chance moves it by a few loads.
    let (ours, random) = (1..=10).fold((0, 0), |(ours, random), seed| {
        let mut policy = affinity.policy(3, &names).expect("our plugins");
        (ours + loads(seed, &mut *policy), random + loads(seed, &mut Random(3)))
    });
    assert!(ours * 3 <= random, "{ours} and {random}");
}

#[test]
fn more_adapters_than_slots_are_loaded_again_and_again() {
    let mut adapters = Adapters::zipf(12, 120, SIZES, 1);
    let outcome = of(&mut Random(3), &mut adapters);
    assert_eq!(outcome.latency.len(), 120);
    assert!(outcome.adapter_loads > 12, "{}", outcome.adapter_loads);
}

#[test]
fn what_was_asked_to_warm_up_is_not_counted() {
    let clients = Clients { warm_up: 48, ..CLIENTS };
    let warm = run(&engines(3), clients, &mut prefixes(), &mut RoundRobin::new(3), 1).expect("a run");
    let all = of(&mut RoundRobin::new(3), &mut prefixes());
    assert_eq!((warm.latency.len(), warm.ttft.len(), warm.prompt_tokens), (72, 72, 72 * 96));
    assert!(warm.hit_rate() > all.hit_rate() && warm.time < all.time && warm.in_flight.len() < all.in_flight.len());
}

/// Picks no engine until a time, and counts what it is told.
#[derive(Default)]
struct Watching {
    until: Duration,
    ended: Vec<(u64, Duration)>,
    completed: Vec<(u64, Duration)>,
    pages: Vec<(usize, Duration)>,
}

impl Policy for Watching {
    fn pick(&mut self, _: &Request, now: Duration, _: &mut Rng) -> Option<usize> {
        (now >= self.until).then_some(0)
    }

    fn ended(&mut self, request: &Request, _: usize, now: Duration) {
        self.ended.push((request.id, now));
    }

    fn completed(&mut self, completion: &Completion, now: Duration) {
        self.completed.push((completion.request, now));
    }

    fn scraped(&mut self, engine: usize, _: &kthena_simulator::Snapshot, now: Duration) {
        self.pages.push((engine, now));
    }
}

#[test]
fn a_client_that_was_shed_asks_again_and_its_wait_counts() {
    let mut policy = Watching { until: Duration::from_secs(3), ..Watching::default() };
    let outcome = of(&mut policy, &mut Prefixes::groups(1, 1, SIZES, 1));
    assert_eq!((outcome.shed, outcome.ttft.len()), (3, 1));
    assert!(outcome.ttft[0] > Duration::from_secs(3));
}

#[test]
fn ends_are_told_at_once_logs_within_a_second_and_pages_once_a_second() {
    let mut policy = Watching::default();
    // All on one engine: it takes long enough.
    of(&mut policy, &mut Prefixes::groups(6, 60, SIZES, 1));
    assert!(policy.ended.len() == 360 && policy.completed.len() > 100);
    for ((ended, at), (told, later)) in policy.ended.iter().zip(&policy.completed) {
        assert_eq!(ended, told);
        assert!(later >= at && *later - *at <= LOG);
    }
    let first: Vec<_> = policy.pages.iter().filter(|(engine, _)| *engine == 0).map(|(_, at)| *at).collect();
    assert!(first.len() > 1 && first.windows(2).all(|pair| pair[1] - pair[0] == SCRAPE));
}
