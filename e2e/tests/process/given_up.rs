//! Requests that nobody served: they count nowhere, and their prompts are nowhere.

use kthena_e2e::{Engine, Kthena, Says, Scripted, Setup, manifests, until};
use kthena_simulator::Options;
use serde_json::{Value, json};
use std::time::Duration;

const PREFIX_CACHE: &str = "Score: {enabled: [{name: prefix-cache, weight: 1}]}";

fn up(engine: &str, filter: &str) -> Kthena {
    let all = manifests::route("m", "m", &[("m", 100)])
        + &manifests::server("m", "m", "")
        + &manifests::pod("a", "m", engine);
    let config = format!("scheduler: {{plugins: {{Filter: {{enabled: [{filter}]}}, {PREFIX_CACHE}}}}}\n");
    Setup::new(&[("all.yaml", &all)]).config(&config).env("METRICS_SCRAPE_INTERVAL", "100ms").up()
}

/// A chat of some 100,000 tokens: an engine of which nobody knows how fast it is takes ten seconds for that.
fn long() -> Value {
    let content: String = (0..80_000).map(|number| format!("{number} ")).collect();
    json!({"model": "m", "messages": [{"role": "user", "content": content}], "max_tokens": 4})
}

/// Hashes of prompts that are thought to be in some engine's cache.
async fn entries(kthena: &Kthena) -> Option<u64> {
    let page = kthena.metrics().try_get("/metrics").await.ok()?;
    let figure = page.text().lines().find_map(|line| line.strip_prefix("kthena_router_prefix_cache_entries "));
    figure?.parse().ok()
}

#[tokio::test]
async fn a_long_request_whose_client_goes_away_gives_back_its_place_and_its_prompt_is_forgotten() {
    let (ttft, max_model_len) = (Duration::from_secs(600), 1_000_000);
    let engine =
        Engine::simulated("a", Options { models: vec!["m".into()], ttft, max_model_len, ..Options::default() });
    let kthena = up(&engine.ip(), "");
    let client = kthena.client();
    let mark = kthena.output.mark();
    let asked = tokio::spawn(async move { client.try_post("/v1/chat/completions", &[], long().to_string()).await });
    until("it to be under way", async || (kthena.in_flight().await? == 1).then_some(())).await;
    until("its prompt to be known", async || (entries(&kthena).await? > 100).then_some(())).await;
    asked.abort();
    until("its place to be free", async || (kthena.in_flight().await? == 0).then_some(())).await;
    let line = kthena.line(mark, "its line", |line| line.contains("POST /v1/chat/completions")).await;
    assert!(line.contains("the client went away"), "{line}");
    until("its prompt to be forgotten", async || (entries(&kthena).await? == 0).then_some(())).await;
}

#[tokio::test]
async fn a_request_that_is_refused_takes_no_place_and_its_prompt_is_not_learnt() {
    let engine = Scripted::new("a");
    engine.says(Says::Busy(1, 10));
    let kthena = up(&engine.ip(), "least-request");
    let client = kthena.client();
    let small = json!({"model": "m", "messages": [{"role": "user", "content": "no"}]}).to_string();
    let refused = async |body: String| client.post("/v1/chat/completions", &[], body).await.status == 429;
    until("a refusal", async || refused(small.clone()).await.then_some(())).await;
    // What was served until the router had heard of the queue may have been learnt.
    let before = entries(&kthena).await;
    assert!(refused(long().to_string()).await);
    assert_eq!((kthena.in_flight().await, entries(&kthena).await), (Some(0), before));
}
