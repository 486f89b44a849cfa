//! `x-kthena-endpoint` names the endpoint that answered, after every retry, where the configuration asks for it.

use kthena_e2e::picker::Answer;
use kthena_e2e::{Engine, Loopback, Plane, Setup, chat, manifests, streamed, until};
use kthena_envoy::Settings;
use kthena_simulator::Options;
use std::fs;

const HEADER: &str = "x-kthena-endpoint";

fn engine(name: &str) -> Engine {
    Engine::simulated(name, Options { models: vec!["m".into()], speed: 100.0, ..Options::default() })
}

#[tokio::test]
async fn the_endpoint_is_the_one_that_served_and_not_the_first_that_was_tried() {
    let alive = engine("alive");
    let [dead, gone] = [(); 2].map(|()| Loopback::claim(&[8000]));
    let all = manifests::route("m", "m", &[("m", 100)])
        + &manifests::server("m", "m", "")
        + &manifests::pod("alive", "m", &alive.ip())
        + &manifests::pod("dead", "m", &dead.ip().to_string())
        + &manifests::route("lost", "lost", &[("lost", 100)])
        + &manifests::server("lost", "lost", "")
        + &manifests::pod("gone", "lost", &gone.ip().to_string());
    let plane = Plane::start_with(&all, Settings { endpoint_header: true, ..Settings::default() }).await;
    let client = plane.client();
    for first in [dead.at(8000), alive.address()] {
        let picker = plane.picker(Answer::destination(format!("{first},{}", alive.address())));
        until("a picker", async || {
            client.chat("m").await.ok();
            (picker.asked() > 0).then_some(())
        })
        .await;
        for body in [chat("m"), streamed("m", 3)] {
            let answer = client.post("/v1/chat/completions", &[], body.to_string()).await.ok();
            assert_eq!((answer.header(HEADER), answer.pod()), (alive.address().to_string().as_str(), "alive"));
        }
    }
    // An engine's refusal is its answer too; ours and Envoy's own are nobody's.
    let refused = client.post("/v1/chat/completions", &[], r#"{"model":"m","messages":[]}"#).await;
    assert_eq!((refused.status, refused.header(HEADER)), (400, alive.address().to_string().as_str()));
    let _none = plane.picker(Answer::Refuse);
    for (model, status) in [("nobody", 404), ("lost", 503)] {
        let refused = client.chat(model).await;
        assert_eq!((refused.status, refused.headers.contains_key(HEADER)), (status, false), "{}", refused.text());
    }
    assert!(!client.get("/healthz").await.ok().headers.contains_key(HEADER));
}

#[tokio::test]
async fn it_is_said_only_while_the_configuration_asks_for_it() {
    let engine = engine("engine");
    let all = manifests::route("m", "m", &[("m", 100)])
        + &manifests::server("m", "m", "")
        + &manifests::pod("engine", "m", &engine.ip());
    let setup = Setup::new(&[("all.yaml", &all)]).config("# nothing yet\n");
    let file = setup.manifests().with_file_name("router.yaml");
    let kthena = setup.up();
    let said = async || kthena.client().chat("m").await.ok().header(HEADER).to_owned();
    assert_eq!(said().await, "");
    fs::write(&file, "dataPlane: {endpointHeader: true}\n").unwrap();
    until("the header", async || (said().await == engine.address().to_string()).then_some(())).await;
    fs::write(&file, "{}\n").unwrap();
    until("no header", async || said().await.is_empty().then_some(())).await;
}
