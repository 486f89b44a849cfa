//! `kthena up --endpoint`: engines that run, served without manifests.

use kthena_e2e::{Engine, Kthena, Loopback, Setup, until};
use kthena_simulator::{Options, Simulator};
use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

fn options(models: &[&str], loras: &[&str]) -> Options {
    let quick = Duration::from_millis(1);
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Options { models: owned(models), loras: owned(loras), ttft: quick, tpot: quick, ..Options::default() }
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

/// By default a prompt that an engine has answered before goes there again.
const BY_CHANCE: &str = "scheduler: {plugins: {Score: {enabled: [{name: random, weight: 1}]}}}\n";

fn up(engines: &[&Engine]) -> Kthena {
    Setup::endpoints(&engines.iter().map(|engine| url(engine.address())).collect::<Vec<_>>()).config(BY_CHANCE).up()
}

/// The names of the engines that answer; waits until they are these.
async fn answered_by(kthena: &Kthena, model: &str, engines: &[&str]) {
    let client = kthena.client();
    let wanted = BTreeSet::from_iter(engines.iter().map(|name| (*name).to_owned()));
    until(&format!("{model} to be answered by {engines:?}"), async || {
        let mut seen = BTreeSet::new();
        for _ in 0..20 {
            let answer = client.chat(model).await;
            if answer.status != 200 {
                return None;
            }
            seen.insert(answer.pod().to_owned());
        }
        (seen == wanted).then_some(())
    })
    .await;
}

async fn models(kthena: &Kthena) -> Vec<String> {
    let answer = kthena.client().get("/v1/models").await.ok().json();
    let data = answer["data"].as_array().expect("a list").clone();
    data.iter().map(|model| model["id"].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test]
async fn one_engine_is_served_with_its_aliases_and_adapters() {
    let engine = Engine::simulated("it", options(&["org/Tiny", "alias"], &["lora"]));
    let kthena = up(&[&engine]);
    let found = format!("{}: vLLM serves org/Tiny, alias; adapters lora", url(engine.address()));
    kthena.line(0, "what was found", |line| line == found).await;
    kthena.line(0, "a command", |line| line.starts_with("try: curl") && line.contains(r#""model":"alias""#)).await;
    for model in ["org/Tiny", "alias", "lora"] {
        answered_by(&kthena, model, &["it"]).await;
    }
    assert_eq!(models(&kthena).await, ["alias", "lora", "org/Tiny"]);
    let dump = kthena.debug().get("/debug/config_dump/namespaces/default/modelroutes/org-tiny").await.ok().json();
    assert_eq!(dump["spec"]["loraAdapters"], serde_json::json!(["lora"]));
    kthena.client().chat("other").await.assert_error(404, "route not found");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_engines_with_one_model_share_its_requests() {
    // One address and two ports, as on a laptop.
    let place = Loopback::claim(&[8000, 8001]);
    let other = Options { name: Some("b".to_owned()), listen: place.at(8001), ..options(&["m"], &[]) };
    let (_stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let second = Simulator::bind(other).await.expect("a free port");
    tokio::spawn(second.serve(async move { drop(stopped.await) }));
    let urls = [url(place.at(8000)), url(place.at(8001))];
    let _first = Engine::simulated_at(place, "a", options(&["m"], &[]));
    let kthena = Setup::endpoints(&urls).config(BY_CHANCE).up();
    answered_by(&kthena, "m", &["a", "b"]).await;
    let dump = kthena.debug().get("/debug/config_dump/modelservers").await.ok().json();
    assert_eq!(dump["modelservers"].as_array().map(Vec::len), Some(1), "{dump}");
}

#[tokio::test]
async fn each_model_goes_to_the_engine_that_has_it() {
    let a = Engine::simulated("a", options(&["model-a"], &[]));
    let b = Engine::simulated("b", options(&["model-b"], &[]));
    let kthena = up(&[&a, &b]);
    answered_by(&kthena, "model-a", &["a"]).await;
    answered_by(&kthena, "model-b", &["b"]).await;
}

#[tokio::test]
async fn an_adapter_that_is_loaded_later_goes_to_the_engine_that_loaded_it() {
    let a = Engine::simulated("a", options(&["base"], &[]));
    let b = Engine::simulated("b", options(&["base"], &[]));
    let kthena = up(&[&a, &b]);
    answered_by(&kthena, "base", &["a", "b"]).await;
    kthena.client().chat("late").await.assert_error(404, "route not found");
    let load = r#"{"lora_name":"late","lora_path":"/x"}"#;
    a.client().post("/v1/load_lora_adapter", &[], load).await.ok();
    answered_by(&kthena, "late", &["a"]).await;
    answered_by(&kthena, "base", &["a", "b"]).await;
    b.client().post("/v1/load_lora_adapter", &[], load).await.ok();
    answered_by(&kthena, "late", &["a", "b"]).await;
    for engine in [&a, &b] {
        engine.client().post("/v1/unload_lora_adapter", &[], r#"{"lora_name":"late"}"#).await.ok();
    }
    until("the adapter to be unknown", async || (kthena.client().chat("late").await.status == 404).then_some(())).await;
}

#[tokio::test]
async fn an_engine_that_starts_late_is_waited_for_and_then_served() {
    let place = Loopback::claim(&[8000]);
    let url = url(place.at(8000));
    let kthena = Setup::endpoints(std::slice::from_ref(&url)).up();
    let waiting = format!("{url}: waiting: connection refused; asked again");
    kthena.line(0, "what it waits for", |line| line.starts_with(&waiting)).await;
    kthena.line(0, "that there is no model", |line| line.starts_with("no models yet")).await;
    assert!(kthena.output.find(0, |line| line.starts_with("try: ")).is_none());
    let _engine = Engine::simulated_at(place, "late", options(&["m"], &[]));
    answered_by(&kthena, "m", &["late"]).await;
    kthena.line(0, "a command", |line| line.starts_with("try: curl") && line.contains(r#""model":"m""#)).await;
}

#[tokio::test]
async fn an_engine_that_dies_is_left_out_until_it_is_back_whatever_it_serves_then() {
    let a = Engine::simulated("a", options(&["m"], &[]));
    let b = Engine::simulated("b", options(&["m"], &[]));
    let kthena = up(&[&a, &b]);
    answered_by(&kthena, "m", &["a", "b"]).await;
    let gone = format!("{}: connection refused; gets no requests until it answers", url(a.address()));
    let place = a.end();
    let client = kthena.client();
    until("it to be missed", async || {
        // Before that is known, Envoy goes on to the other.
        let answer = client.chat("m").await;
        assert!(answer.status == 200 || answer.pod() == "a", "neither an answer nor its last words: {}", answer.text());
        kthena.output.find(0, |line| line.ends_with(&gone))
    })
    .await;
    // A router that starts anew does not forget the one that is away.
    let mark = kthena.output.mark();
    kthena.signal(kthena.child("router"), rustix::process::Signal::KILL);
    kthena.line(mark, "a new table", |line| line.contains("table 1: 1 routes, 1 model servers")).await;
    answered_by(&kthena, "m", &["b"]).await;
    let _a = Engine::simulated_at(place, "a", options(&["m", "n"], &[]));
    answered_by(&kthena, "n", &["a"]).await;
    answered_by(&kthena, "m", &["a", "b"]).await;
}

#[tokio::test]
async fn the_last_engine_of_a_model_keeps_its_name_while_it_is_away() {
    let engine = Engine::simulated("it", options(&["m"], &[]));
    let kthena = up(&[&engine]);
    answered_by(&kthena, "m", &["it"]).await;
    let place = engine.end();
    let none = "no available pods for model server: default/m";
    until("it to be missed", async || {
        let answer = kthena.client().chat("m").await;
        (answer.status == 503 && answer.error() == none).then_some(())
    })
    .await;
    let _again = Engine::simulated_at(place, "again", options(&["m"], &[]));
    answered_by(&kthena, "m", &["again"]).await;
}

#[tokio::test]
async fn what_is_no_engine_is_named_with_what_it_answered_and_the_others_are_served() {
    let engine = Engine::simulated("it", options(&["m"], &[]));
    let page = Engine::answering(404, "<html>nginx</html>");
    let locked = Engine::answering(401, r#"{"error":"Unauthorized"}"#);
    let starting = Engine::answering(503, "loading");
    // Takes connections and never answers.
    let silent = Loopback::claim(&[8000]);
    let _silent = TcpListener::bind(silent.at(8000)).expect("a free port");
    let urls = [engine.address(), page.address(), locked.address(), starting.address(), silent.at(8000)].map(url);
    let kthena = Setup::endpoints(&urls).up();
    answered_by(&kthena, "m", &["it"]).await;
    for (url, parts) in [
        (&urls[1], ["GET /v1/models answered 404 Not Found (text/plain)", "not an OpenAI-compatible engine"]),
        (&urls[2], ["GET /v1/models answered 401", "KTHENA_ENDPOINT_API_KEY"]),
        (&urls[3], ["GET /v1/models answered 503", "waiting"]),
        (&urls[4], ["no answer within 2 s", "waiting"]),
    ] {
        let said = |line: &str| line.starts_with(url.as_str()) && parts.iter().all(|part| line.contains(part));
        kthena.line(0, url, said).await;
    }
}

#[tokio::test]
async fn our_own_listener_behind_somebody_else_is_served_nothing_in_circles() {
    let engine = Engine::simulated("it", options(&["m"], &[]));
    // What stands between hides from the check at the start whose listener it is.
    let between = Loopback::claim(&[8000]);
    let setup = Setup::endpoints(&[url(between.at(8000)), url(engine.address())]);
    let listen = setup.address().at(8080);
    let listener = tokio::net::TcpListener::bind(between.at(8000)).await.expect("a free port");
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut ours = tokio::net::TcpStream::connect(listen).await?;
                tokio::io::copy_bidirectional(&mut client, &mut ours).await
            });
        }
    });
    let kthena = tokio::task::spawn_blocking(|| setup.up()).await.expect("it starts");
    let said = format!("{}: waiting: a Kthena router, not an engine", url(between.at(8000)));
    kthena.line(0, "what it is", |line| line.contains(&said)).await;
    answered_by(&kthena, "m", &["it"]).await;
    let pods = kthena.debug().get("/debug/config_dump/pods").await.ok().text().to_owned();
    assert!(pods.contains(&engine.ip()) && !pods.contains(&between.ip().to_string()), "{pods}");
}

#[tokio::test]
async fn our_own_listener_is_refused_at_the_start() {
    let setup = Setup::endpoints(&["http://127.0.0.1:1".to_owned()]);
    let ours = url(setup.address().at(8080));
    let manifests = setup.manifests();
    let failure = setup.flags(&["--endpoint", &ours]).fail(&manifests);
    let expected = format!("kthena: --endpoint {ours}: clients are to be served there; choose another with --listen");
    assert_eq!((failure.code, failure.stderr), (Some(1), vec![expected]));
}

#[tokio::test]
async fn what_cannot_be_an_engine_is_refused_at_once() {
    let twice = vec!["http://127.0.0.1:1".to_owned(); 2];
    let setup = Setup::endpoints(&twice);
    let manifests = setup.manifests();
    let failure = setup.fail(&manifests);
    let expected = "kthena: --endpoint http://127.0.0.1:1: given twice; give every engine once";
    assert_eq!((failure.code, failure.stderr), (Some(1), vec![expected.to_owned()]));
    let setup = Setup::endpoints(&["https://gpu:8000".to_owned()]);
    let failure = setup.fail(&manifests);
    assert_eq!(failure.code, Some(2));
    assert!(failure.stderr[0].contains("expected http://HOST:PORT"), "{failure:?}");
}
