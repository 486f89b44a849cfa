//! Which pod: each plugin alone decides as users of upstream rely on, on a real Envoy with simulated engines.

use kthena_e2e::{Client, Engine, Kthena, Setup, chat, manifests, until};
use kthena_simulator::{Capacity, Options};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

struct Fleet {
    kthena: Kthena,
    engines: Vec<Engine>,
}

fn quick() -> Options {
    let (models, ttft, tpot) = (vec!["m".to_owned()], Duration::from_millis(1), Duration::from_millis(1));
    Options { models, ttft, tpot, ..Options::default() }
}

/// One model on these engines, called `p-0`, `p-1`, ..., whose plugins are these.
fn fleet(plugins: &str, engines: impl IntoIterator<Item = Options>) -> Fleet {
    let named = |(number, options)| Engine::simulated(&format!("p-{number}"), options);
    let engines: Vec<_> = (0..).zip(engines).map(named).collect();
    let pods = (0..).zip(&engines).map(|(number, engine)| manifests::pod(&format!("p-{number}"), "m", &engine.ip()));
    let all = manifests::route("m", "m", &[("m", 100)]) + &manifests::server("m", "m", "") + &pods.collect::<String>();
    let setup = Setup::new(&[("all.yaml", &all)]).env("METRICS_SCRAPE_INTERVAL", "100ms");
    Fleet { kthena: setup.config(&format!("scheduler: {plugins}\n")).up(), engines }
}

/// A scorer alone.
fn scored_by(name: &str) -> String {
    format!("{{plugins: {{Score: {{enabled: [{{name: {name}, weight: 1}}]}}}}}}")
}

impl Fleet {
    /// How many of so many chats, one after the other, each Pod answered.
    async fn chats(&self, count: usize, body: &Value) -> BTreeMap<String, usize> {
        let (client, mut pods) = (self.kthena.client(), BTreeMap::new());
        for _ in 0..count {
            let answer = client.post("/v1/chat/completions", &[], body.to_string()).await.ok();
            *pods.entry(answer.pod().to_owned()).or_default() += 1;
        }
        pods
    }

    /// Waits until the router knows that of the Pod of that number.
    async fn known(&self, number: usize, what: &str, holds: impl Fn(&Value) -> bool) {
        let name = format!("p-{number}");
        until(&format!("{name}: {what}"), async || {
            let page = self.kthena.debug().try_get("/debug/config_dump/pods").await.ok()?.json();
            let pods = page["pods"].as_array()?;
            pods.iter().find(|pod| pod["name"] == *name).filter(|pod| holds(pod)).map(drop)
        })
        .await;
    }

    /// Hashes of prompts that are thought to be in some engine's cache.
    async fn entries(&self) -> Option<u64> {
        let page = self.kthena.metrics().try_get("/metrics").await.ok()?;
        let figure = page.text().lines().find_map(|line| line.strip_prefix("kthena_router_prefix_cache_entries "));
        figure?.parse().ok()
    }

    async fn plugin_is_timed(&self, plugin: &str, kind: &str) {
        let label = format!("plugin=\"{plugin}\",type=\"{kind}\"");
        until(&format!("a time of {label}"), async || {
            let page = self.kthena.metrics().try_get("/metrics").await.ok()?;
            let timed = |line: &str| line.contains("scheduler_plugin_duration_seconds_count") && line.contains(&label);
            page.text().lines().any(timed).then_some(())
        })
        .await;
    }
}

/// Keeps an engine busy with so many chats of so many tokens, behind the router's back, until it is dropped.
async fn occupied(engine: &Engine, chats: usize, tokens: u32) -> Vec<impl Sized + use<>> {
    let client = engine.client();
    let mut streams = Vec::new();
    for _ in 0..chats {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": "long"}], "max_tokens": tokens, "stream": true});
        streams.push(client.stream("/v1/chat/completions", &body).await.expect("a stream"));
    }
    streams
}

fn most(pods: &BTreeMap<String, usize>) -> usize {
    pods.values().copied().max().unwrap_or_default()
}

#[tokio::test]
async fn prefix_cache_sends_equal_prompts_to_one_pod() {
    let fleet = fleet(&scored_by("prefix-cache"), vec![quick(); 3]);
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "the same words. ".repeat(40)}], "max_tokens": 4});
    fleet.chats(30, &body).await;
    let pods = fleet.chats(200, &body).await;
    assert!(most(&pods) >= 180, "{pods:?}");
    fleet.plugin_is_timed("prefix-cache", "score").await;
    let page = fleet.kthena.metrics().get("/metrics").await;
    assert!(page.text().contains("kthena_router_prefix_cache_match_ratio_count{model=\"m\"} 230"), "{}", page.text());
}

#[tokio::test]
async fn prefix_cache_forgets_an_engine_that_restarted() {
    let mut fleet = fleet(&scored_by("prefix-cache"), vec![quick(); 2]);
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "the same words. ".repeat(40)}], "max_tokens": 4});
    for number in 0..2 {
        fleet.known(number, "a page from before", |pod| pod["metrics"]["requestRunningNum"].is_number()).await;
    }
    let pods = fleet.chats(5, &body).await;
    let home = if pods.contains_key("p-0") { 0 } else { 1 };
    assert_eq!(most(&pods), 5, "{pods:?}");
    // What it was asked since its start is how its restart is seen.
    let totals = |pod: &Value| pod["metrics"]["ttft"].as_f64().is_some_and(|ttft| ttft > 0.0);
    fleet.known(home, "what its chats took", totals).await;
    assert!(fleet.entries().await.is_some_and(|entries| entries > 0));

    let address = fleet.engines.remove(home).end();
    let again = Engine::simulated_at(address, &format!("p-{home}"), quick());
    until("its prompts to be forgotten", async || (fleet.entries().await? == 0).then_some(())).await;
    assert_eq!(fleet.chats(5, &body).await.values().sum::<usize>(), 5);
    drop(again);
}

#[tokio::test]
async fn prefix_cache_sends_a_burst_of_equal_prompts_together_and_spreads_different_ones() {
    let fleet = fleet(&scored_by("prefix-cache"), vec![quick(); 3]);
    let body = |words: &str| json!({"model": "m", "messages": [{"role": "user", "content": words.repeat(60)}], "max_tokens": 40});
    let client = fleet.kthena.client();
    let burst = (0..12).map(|_| client.post("/v1/chat/completions", &[], body("at once ").to_string()));
    let mut pods = BTreeMap::new();
    for answer in futures::future::join_all(burst).await {
        *pods.entry(answer.ok().pod().to_owned()).or_insert(0) += 1;
    }
    assert!(most(&pods) >= 11, "{pods:?}");
    let mut first = BTreeMap::new();
    for number in 0..60 {
        let answer = client.post("/v1/chat/completions", &[], body(&format!("{number} is another ")).to_string()).await;
        *first.entry(answer.ok().pod().to_owned()).or_insert(0) += 1;
    }
    assert!(first.len() == 3 && most(&first) < 40, "{first:?}");
}

#[tokio::test]
async fn least_request_goes_to_the_pod_that_is_idle() {
    let plugins = "{pluginConfig: [{name: least-request, args: {maxWaitingRequests: 1}}], plugins: {Filter: {enabled: \
                   [least-request]}, Score: {enabled: [{name: least-request, weight: 1}]}}}";
    let small = Options { capacity: Capacity { max_num_seqs: 2, ..Capacity::default() }, ..quick() };
    let fleet = fleet(plugins, vec![small; 3]);
    let mut busy = Vec::new();
    for number in [0, 1] {
        busy.push(occupied(&fleet.engines[number], 6, 100_000).await);
        fleet.known(number, "its queue", |pod| pod["metrics"]["requestWaitingNum"] == 4).await;
    }
    let pods = fleet.chats(200, &chat("m")).await;
    assert!(pods["p-2"] >= 180, "{pods:?}");
    fleet.plugin_is_timed("least-request", "filter").await;
    fleet.plugin_is_timed("least-request", "score").await;
}

#[tokio::test]
async fn gpu_usage_goes_to_the_pod_whose_cache_is_empty() {
    let small = Capacity { num_gpu_blocks: Some(64), ..Capacity::default() };
    let options = Options { max_model_len: 1024, capacity: small, tpot: Duration::from_millis(200), ..quick() };
    let fleet = fleet(&scored_by("gpu-usage"), vec![options; 3]);
    let mut busy = Vec::new();
    for number in [0, 1] {
        busy.push(occupied(&fleet.engines[number], 20, 900).await);
        fleet.known(number, "its usage", |pod| pod["metrics"]["gpuCacheUsage"].as_f64() >= Some(0.1)).await;
    }
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 1});
    let pods = fleet.chats(200, &body).await;
    assert!(pods["p-2"] >= 180, "{pods:?}");
}

#[tokio::test]
async fn least_latency_goes_to_the_fast_pods() {
    let slow = Options { ttft: Duration::from_millis(500), tpot: Duration::from_millis(20), ..quick() };
    let fast = Options { ttft: Duration::from_millis(20), tpot: Duration::from_millis(5), ..quick() };
    let fleet = fleet(&scored_by("least-latency"), [slow, fast.clone(), fast]);
    fleet.chats(20, &chat("m")).await;
    for (number, engine) in fleet.engines.iter().enumerate() {
        Client::new(engine.address()).chat("m").await.ok();
        fleet.known(number, "its latency", |pod| pod["metrics"]["ttft"].is_number()).await;
    }
    let pods = fleet.chats(100, &chat("m")).await;
    assert!(pods.get("p-0").copied().unwrap_or_default() <= 10, "{pods:?}");
    assert_eq!(pods.len() - usize::from(pods.contains_key("p-0")), 2, "the fast ones share: {pods:?}");
}

#[tokio::test]
async fn lora_affinity_sends_nothing_to_pods_without_the_adapter() {
    let with = Options { loras: vec!["lora-a".to_owned()], ..quick() };
    let plugins = "{plugins: {Filter: {enabled: [lora-affinity]}}}";
    let fleet = fleet(plugins, [quick(), with.clone(), with]);
    let route = manifests::route("m", "m", &[("m", 100)])
        .replace("  modelName: m", "  modelName: m\n  loraAdapters: [lora-a, lora-b]");
    fleet.kthena.write(
        "all.yaml",
        &std::fs::read_to_string(fleet.kthena.file("all.yaml"))
            .expect("it was written")
            .replace(&manifests::route("m", "m", &[("m", 100)]), &route),
    );
    for number in [1, 2] {
        fleet
            .known(number, "its adapter", |pod| pod["models"].as_array().is_some_and(|models| models.len() == 2))
            .await;
    }
    fleet.known(0, "its models", |pod| pod["models"].as_array().is_some_and(|models| models.len() == 1)).await;
    let client = fleet.kthena.client();
    until("the route", async || (client.chat("lora-a").await.status == 200).then_some(())).await;
    let pods = fleet.chats(60, &chat("lora-a")).await;
    assert!(!pods.contains_key("p-0") && pods.len() == 2, "{pods:?}");
    assert_eq!(fleet.chats(60, &chat("m")).await.len(), 3, "the model itself is everywhere");
    // Nobody has it: whoever is asked says so in its own words.
    assert_eq!(client.chat("lora-b").await.status, 404);
}

#[tokio::test]
async fn random_reaches_all_pods_alike() {
    let fleet = fleet(&scored_by("random"), vec![quick(); 3]);
    let pods = fleet.chats(600, &chat("m")).await;
    assert!(pods.len() == 3 && pods.values().all(|count| (140..=260).contains(count)), "{pods:?}");
}
