//! Engines that speak TLS, verified or not; and that nothing is served unverified that should be.

use kthena_e2e::{Answer, Authority, Engine, Kthena, Setup, manifests, streamed, until};
use kthena_simulator::{Options, Tls};
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const NAME: &str = "engines.example";

/// Words of a stream that lasts over eight minutes.
const ENDLESS: u32 = 100_000;

fn engine(model: &str, tls: Tls) -> Engine {
    let (ttft, tpot) = (Duration::from_millis(1), Duration::from_millis(5));
    Engine::simulated(model, Options { models: vec![model.into()], ttft, tpot, tls, ..Options::default() })
}

fn self_signed() -> Tls {
    Tls { tls_self_signed: true, ..Tls::default() }
}

/// A model of that name on that engine, over https; `trust` is a Secret and a server name.
fn model(name: &str, engine: &Engine, trust: Option<(&str, &str)>) -> String {
    let annotations = trust.map(|(secret, server)| {
        let prefix = "    networking.serving.volcano.sh/backend";
        format!("  annotations:\n{prefix}-ca-secret: {secret}\n{prefix}-server-name: {server}\n")
    });
    let server = manifests::server(name, name, "")
        .replace("    port: 8000\n", "    port: 8000\n    protocol: https\n")
        .replacen(&format!("  name: {name}\n"), &format!("  name: {name}\n{}", annotations.unwrap_or_default()), 1);
    manifests::route(name, name, &[(name, 100)]) + &server + &manifests::pod(name, name, &engine.ip())
}

fn up(files: &[(&str, &str)]) -> Kthena {
    Setup::new(files).env("METRICS_SCRAPE_INTERVAL", "100ms").up()
}

/// Chats until the answer is so.
async fn until_chat(kthena: &Kthena, model: &str, what: &str, holds: impl Fn(&Answer) -> bool) -> Answer {
    until(&format!("{model}: {what}"), async || Some(kthena.client().chat(model).await).filter(|a| holds(a))).await
}

async fn served(kthena: &Kthena, model: &str) {
    until_chat(kthena, model, "to be served", |answer| answer.status == 200 && answer.pod() == model).await;
}

/// Leaves connections to the engine behind, in each of Envoy's workers.
async fn busy(kthena: &Kthena, model: &str) {
    for _ in 0..20 {
        kthena.client().chat(model).await.ok();
    }
}

async fn problems(kthena: &Kthena) -> String {
    kthena.debug().get("/debug/problems").await.ok().text().to_owned()
}

/// What is known of a Pod's load.
async fn metrics(kthena: &Kthena, pod: &str) -> Option<Value> {
    let page = kthena.debug().try_get("/debug/config_dump/pods").await.ok()?.json();
    let pod = page["pods"].as_array()?.iter().find(|known| known["name"] == pod)?.clone();
    Some(pod["metrics"]["requestRunningNum"].clone())
}

/// Requests that an engine answered, by the log.
fn asked(kthena: &Kthena, model: &str) -> usize {
    let wanted = format!("model_server=default/{model} ");
    kthena
        .output
        .lines()
        .iter()
        .filter(|line| line.contains(&wanted) && line.contains("upstream_status_code=200"))
        .count()
}

#[tokio::test]
async fn https_is_unverified_unless_asked_otherwise_and_that_is_said() {
    let engine = engine("open", self_signed());
    let kthena = up(&[("all.yaml", &model("open", &engine, None))]);
    served(&kthena, "open").await;
    let stream = kthena.client().stream("/v1/chat/completions", &streamed("open", 20)).await.expect("a stream");
    assert_eq!(stream.words().await.expect("a whole stream"), 20);
    until("its load over TLS", async || metrics(&kthena, "open").await.filter(|running| *running == 0)).await;
    assert!(problems(&kthena).await.contains("https is served without verifying who answers"));
}

#[tokio::test]
async fn a_verified_engine_is_served_and_one_that_cannot_prove_itself_is_not() {
    let (ours, other) = (Authority::new(), Authority::new());
    let good = engine("good", ours.vouch(NAME));
    let foreign = engine("foreign", other.vouch(NAME));
    let misnamed = engine("misnamed", ours.vouch("other.example"));
    let alone = engine("alone", self_signed());
    let all = [("good", &good), ("foreign", &foreign), ("misnamed", &misnamed), ("alone", &alone)];
    let manifests: String = all.iter().map(|(name, engine)| model(name, engine, Some(("trust", NAME)))).collect();
    let kthena = up(&[("all.yaml", &(manifests + &ours.secret("trust")))]);
    served(&kthena, "good").await;
    for name in ["foreign", "misnamed", "alone"] {
        for _ in 0..3 {
            kthena.client().chat(name).await.assert_error(503, "request to all pods failed");
        }
        assert_eq!(asked(&kthena, name), 0);
    }
    until("the load of who proved itself", async || metrics(&kthena, "good").await.filter(|load| *load == 0)).await;
    for name in ["foreign", "misnamed", "alone"] {
        assert_eq!(metrics(&kthena, name).await, Some(Value::Null), "{name} is not asked unverified");
    }
    let shown = kthena.admin().get("/config_dump?include_eds").await;
    assert!(shown.text().contains("engines.example") && !shown.text().contains("nobody-is-shown-this"));
}

#[tokio::test]
async fn without_its_secret_a_model_server_is_out_until_the_secret_is_there() {
    let authority = Authority::new();
    let engine = engine("m", authority.vouch(NAME));
    let kthena = up(&[("all.yaml", &model("m", &engine, Some(("trust", NAME))))]);
    let none = "no available pods for model server: default/m";
    kthena.client().chat("m").await.assert_error(503, none);
    let why = "metadata.annotations[networking.serving.volcano.sh/backend-ca-secret]: no Secret default/trust; its Pods \
               are not served";
    kthena.line(0, why, |line| line.contains(why)).await;
    kthena.write("secret.yaml", &authority.secret("trust"));
    served(&kthena, "m").await;
    kthena.remove("secret.yaml");
    until_chat(&kthena, "m", "to be out", |answer| answer.status == 503 && answer.error() == none).await;
}

#[tokio::test]
async fn an_authority_that_comes_changes_or_goes_cuts_no_stream_and_fails_no_request() {
    let authorities = [Authority::new(), Authority::new()];
    let (plain, open) = (engine("plain", Tls::default()), engine("open", self_signed()));
    let verified = engine("verified", authorities[0].vouch(NAME));
    let http = model("plain", &plain, None).replace("    protocol: https\n", "");
    let steady = http + &model("open", &open, None) + &model("verified", &verified, Some(("trust", NAME)));
    let kthena = up(&[("all.yaml", &(steady + &authorities[0].secret("trust")))]);
    for name in ["plain", "open", "verified"] {
        served(&kthena, name).await;
    }
    let client = kthena.client();
    let mut streams = Vec::new();
    for name in ["plain", "open", "verified"] {
        let stream = client.stream("/v1/chat/completions", &streamed(name, ENDLESS)).await.expect("a stream");
        streams.push((name, stream));
    }
    let edited = AtomicBool::new(false);
    let chats = async {
        let (mut count, mut failed) = (0, Vec::new());
        while !edited.load(Ordering::Relaxed) {
            for name in ["plain", "open", "verified"] {
                count += 1;
                match client.try_chat(name).await {
                    Ok(answer) if answer.status == 200 => {}
                    other => failed.push((name, other.map(|answer| answer.text().to_owned()))),
                }
            }
        }
        (count, failed)
    };
    let edits = async {
        for (round, authority) in authorities.iter().cycle().take(6).enumerate() {
            let name = format!("m-{round}");
            let engine = engine(&name, authority.vouch(NAME));
            let text = model(&name, &engine, Some((&name, NAME))) + &authority.secret(&name);
            kthena.write("more.yaml", &text);
            served(&kthena, &name).await;
        }
        kthena.remove("more.yaml");
        until_chat(&kthena, "m-5", "to be gone", |answer| answer.status == 404).await;
        edited.store(true, Ordering::Relaxed);
    };
    // Read all the while: each goes on until all edits are made, and for an event that came after them.
    let reads = streams.iter_mut().map(async |(name, stream)| {
        let mut after = 0;
        while after < 2 {
            after += u32::from(edited.load(Ordering::Relaxed));
            let event = stream.event().await.unwrap_or_else(|error| panic!("{name}: {error:#}"));
            assert!(event.is_some_and(|event| event != "[DONE]"), "{name}: it goes on");
        }
    });
    let (_, (count, failed), ()) = tokio::join!(futures::future::join_all(reads), chats, edits);
    assert!(count > 20 && failed.is_empty(), "{} of {count} failed: {failed:?}", failed.len());
}

#[tokio::test]
async fn once_an_authority_is_asked_for_nothing_more_goes_out_unverified() {
    let authority = Authority::new();
    let (verified, m) = (engine("verified", authority.vouch(NAME)), self_signed());
    let engine = engine("m", m);
    // The authority is known already, so that only the endpoint changes.
    let steady = model("verified", &verified, Some(("trust", NAME))) + &authority.secret("trust");
    let kthena = up(&[("all.yaml", &model("m", &engine, None)), ("steady.yaml", &steady)]);
    for name in ["m", "verified"] {
        served(&kthena, name).await;
    }
    // Connections that were made before must not be used on either.
    busy(&kthena, "m").await;
    kthena.replace("all.yaml", &model("m", &engine, Some(("trust", NAME))));
    until_chat(&kthena, "m", "to be refused", |answer| answer.status == 503).await;
    for _ in 0..50 {
        kthena.client().chat("m").await.assert_error(503, "request to all pods failed");
    }
    kthena.replace("all.yaml", &model("m", &engine, None));
    served(&kthena, "m").await;
    // Who proves to be somebody else is as good as nobody.
    kthena.replace("steady.yaml", &steady.replace(NAME, "other.example"));
    until_chat(&kthena, "verified", "to be refused", |answer| answer.status == 503).await;
    kthena.replace("steady.yaml", &steady);
    served(&kthena, "verified").await;
    let http = model("m", &engine, None).replace("    protocol: https\n", "");
    busy(&kthena, "m").await;
    kthena.replace("all.yaml", &http);
    until_chat(&kthena, "m", "to be asked in the clear", |answer| answer.status == 503).await;
}

#[tokio::test]
async fn simulated_engines_speak_what_their_model_server_asks_for() {
    let manifests = manifests::route("m", "m", &[("m", 100)])
        + &manifests::server("m", "m", "").replace("    port: 8000\n", "    port: 8443\n    protocol: https\n");
    let kthena = Setup::simulated(&[("all.yaml", &manifests)]).up();
    kthena.client().chat("m").await.ok();
}
