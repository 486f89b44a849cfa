//! Where every engine is full, clients are told so and when to ask again.

use kthena_e2e::{Engine, Kthena, Says, Scripted, Setup, chat, manifests, until};
use kthena_simulator::Options;
use serde_json::json;

const FILTER: &str = "scheduler: {plugins: {Filter: {enabled: [least-request]}, Score: {enabled: []}}}\n";
const TEXT: &str = "can't schedule to target pod: pods have all been filtered out by \"least-request\"";

/// One model on an engine that says what it is told to say.
fn full() -> (Kthena, Scripted) {
    let engine = Scripted::new("a");
    engine.says(Says::Busy(1, 10));
    let manifests = manifests::route("m", "m", &[("m", 100)])
        + &manifests::server("m", "m", "")
        + &manifests::pod("a", "m", &engine.ip());
    let setup = Setup::new(&[("all.yaml", &manifests)]).config(FILTER).env("METRICS_SCRAPE_INTERVAL", "100ms");
    (setup.up(), engine)
}

/// Until the router has heard of the queue, requests are served.
async fn refused(kthena: &Kthena) {
    until("a refusal", async || (kthena.client().chat("m").await.status == 429).then_some(())).await;
}

#[tokio::test]
async fn a_fleet_that_is_full_is_429_with_retry_after_in_the_clients_shape() {
    let (kthena, engine) = full();
    refused(&kthena).await;
    let answer = kthena.client().chat("m").await;
    answer.assert_error(429, TEXT);
    assert_eq!((answer.header("retry-after"), answer.header("content-type")), ("1", "application/json"));
    assert_eq!(
        (&answer.json()["error"]["type"], &answer.json()["error"]["code"]),
        (&"rate_limit_error".into(), &"saturated".into())
    );
    let answer = kthena.client().post("/v1/messages", &[], chat("m").to_string()).await;
    assert_eq!((answer.status, &answer.json()["type"]), (429, &"error".into()), "{}", answer.text());
    assert_eq!(answer.json()["error"]["message"], TEXT);

    engine.says(Says::Busy(1, 9));
    until("service", async || (kthena.client().chat("m").await.status == 200).then_some(())).await;
}

#[tokio::test]
async fn a_refusal_is_in_the_log_the_metrics_and_the_decisions() {
    let (kthena, _engine) = full();
    refused(&kthena).await;
    let mark = kthena.output.mark();
    kthena.client().chat_with("m", &[("x-request-id", "refused-1")]).await;
    let line = kthena.line(mark, "its line", |line| line.contains("request_id=refused-1")).await;
    assert!(
        line.contains("429") && line.contains("error=scheduling:can't schedule to target pod: pods have all been"),
        "{line}"
    );
    assert!(!line.contains("selected_pod="), "{line}");
    let decisions = kthena.debug().get("/debug/decisions?limit=1").await.json();
    let outcome = decisions["decisions"][0]["outcome"].as_str().unwrap_or_default().to_owned();
    assert!(outcome.starts_with("refused: every endpoint was dropped, the last by least-request; 429"), "{decisions}");
    until("its metric", async || {
        let page = kthena.metrics().try_get("/metrics").await.ok()?;
        let counted = |line: &str| {
            line.contains("requests_total{")
                && line.contains("status_code=\"429\"")
                && line.contains("error_type=\"scheduling\"")
        };
        page.text().lines().any(counted).then_some(())
    })
    .await;
}

/// It was picked for nobody, which a ModelServer that wants a pick for each must not take for a picker that is away.
#[tokio::test]
async fn an_adapter_that_only_an_engine_asleep_has_is_429_where_a_pick_is_demanded_too() {
    let engine = |name: &str, loras: &[&str]| {
        let loras = loras.iter().map(ToString::to_string).collect();
        Engine::simulated(name, Options { models: vec!["m".into()], loras, ..Options::default() })
    };
    let (with, without) = (engine("with", &["lora-a"]), engine("without", &[]));
    let route =
        manifests::route("m", "m", &[("m", 100)]).replace("  modelName: m", "  loraAdapters: [lora-a]\n  modelName: m");
    let server = manifests::server("m", "m", "").replacen(
        "metadata:\n",
        "metadata:\n  annotations:\n    networking.serving.volcano.sh/picker-failure-mode: FailClose\n",
        1,
    );
    let pods = manifests::pod("with", "m", &with.ip()) + &manifests::pod("without", "m", &without.ip());
    let config = "scheduler: {plugins: {Filter: {enabled: [lora-affinity]}, Score: {enabled: []}}}\n";
    let setup = Setup::new(&[("all.yaml", &(route + &server + &pods))]).config(config);
    let kthena = setup.env("METRICS_SCRAPE_INTERVAL", "100ms").up();
    let client = kthena.client();
    let served = async || Some(client.chat("lora-a").await).filter(|answer| answer.status == 200);
    assert_eq!(until("the adapter to be known", served).await.pod(), "with");
    with.client().post("/sleep?level=1", &[], "").await.ok();
    let asleep = async || {
        let pods = kthena.debug().try_get("/debug/config_dump/pods").await.ok()?.json();
        pods["pods"].as_array()?.iter().any(|pod| pod["asleep"] == json!(true)).then_some(())
    };
    until("its sleep to be known", asleep).await;
    let answer = client.chat("lora-a").await;
    answer.assert_error(429, "can't schedule to target pod: pods have all been filtered out by \"lora-affinity\"");
    assert!(!answer.header("retry-after").is_empty());
    assert_eq!(client.chat("m").await.ok().pod(), "without");
}
