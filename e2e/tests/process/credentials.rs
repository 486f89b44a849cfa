//! What engines learn of clients' credentials: none that is for proxies, and others as the configuration says.

use kthena_e2e::{Engine, Kthena, Setup, manifests, until};
use kthena_simulator::{Manners, Options};
use std::fs;

const OURS: [(&str, &str); 6] = [
    ("authorization", "Bearer secret-key"),
    ("x-api-key", "secret-x"),
    ("api-key", "secret-a"),
    ("cookie", "session=secret-c; other=1"),
    ("proxy-authorization", "Basic secret-p"),
    ("x-mine", "stays"),
];

/// The headers of the last request that the engine got, by name.
async fn received(engine: &Engine) -> Vec<String> {
    let requests = engine.client().get("/simulator/requests").await.json();
    let chats = requests.as_array().unwrap().iter().rfind(|request| request["path"] == "/v1/chat/completions");
    let headers = chats.unwrap()["headers"].as_array().unwrap().clone();
    headers.iter().map(|pair| pair[0].as_str().unwrap().to_owned()).collect()
}

/// Those of [`OURS`] that arrive.
async fn arrive(kthena: &Kthena, engine: &Engine) -> Vec<&'static str> {
    kthena.client().chat_with("m", &OURS).await.ok();
    let there = received(engine).await;
    OURS.map(|(name, _)| name).into_iter().filter(|name| there.iter().any(|known| known == name)).collect()
}

#[tokio::test]
async fn engines_get_clients_keys_until_the_configuration_says_otherwise_and_never_the_proxy_s() {
    let engine = Engine::simulated("engine", Options { models: vec!["m".into()], speed: 100.0, ..Options::default() });
    let all = manifests::route("m", "m", &[("m", 100)])
        + &manifests::server("m", "m", "")
        + &manifests::pod("engine", "m", &engine.ip());
    let setup = Setup::new(&[("all.yaml", &all)]).config("# nothing yet\n");
    let file = setup.manifests().with_file_name("router.yaml");
    let kthena = setup.up();
    let all_but_the_proxy_s = ["authorization", "x-api-key", "api-key", "cookie", "x-mine"];
    assert_eq!(arrive(&kthena, &engine).await, all_but_the_proxy_s);
    fs::write(&file, "dataPlane: {clientCredentials: Drop}\n").unwrap();
    until("credentials to be dropped", async || (arrive(&kthena, &engine).await == ["x-mine"]).then_some(())).await;
    fs::write(&file, "dataPlane: {clientCredentials: drop}\n").unwrap();
    kthena.line(0, "the accepted values", |line| line.contains("expected") && line.contains("Forward")).await;
    assert_eq!(arrive(&kthena, &engine).await, ["x-mine"], "a bad edit changes nothing");
    fs::write(&file, "dataPlane: {clientCredentials: Forward}\n").unwrap();
    until("credentials to be forwarded", async || {
        (arrive(&kthena, &engine).await == all_but_the_proxy_s).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_engine_that_wants_a_key_gets_the_client_s() {
    let manners = Manners { api_key: Some("secret-key".into()), ..Manners::default() };
    let options = Options { models: vec!["m".into()], speed: 100.0, manners, ..Options::default() };
    let engine = Engine::simulated("engine", options);
    let all = manifests::route("m", "m", &[("m", 100)])
        + &manifests::server("m", "m", "")
        + &manifests::pod("engine", "m", &engine.ip());
    let kthena = Setup::new(&[("all.yaml", &all)]).up();
    kthena.client().chat_with("m", &[("authorization", "Bearer secret-key")]).await.ok();
    let refused = kthena.client().chat("m").await;
    assert_eq!((refused.status, refused.text()), (401, r#"{"error":"Unauthorized"}"#), "the engine's own words");
}
