//! An endpoint that fails is left out, and comes back when it serves.

use kthena_e2e::{Client, Engine, Kthena, Setup, manifests, until};
use kthena_simulator::{Fault, Manners, Options};
use std::time::Duration;

/// A ModelServer `name` of engines with these faults, each a flag of the simulator's, and `kthena up` before it.
struct Fleet {
    kthena: Kthena,
    name: &'static str,
    engines: Vec<Engine>,
}

impl Fleet {
    fn start(name: &'static str, faults: &[&[&str]]) -> Self {
        let engine = |(index, faults): (usize, &&[&str])| {
            let faults = faults.iter().map(|fault| fault.parse::<Fault>().expect("a fault")).collect();
            let (ms, manners) = (Duration::from_millis(1), Manners { faults, ..Manners::default() });
            let options = Options { models: vec![name.into()], ttft: ms, tpot: ms, manners, ..Options::default() };
            Engine::simulated(&index.to_string(), options)
        };
        let engines: Vec<_> = faults.iter().enumerate().map(engine).collect();
        let mut all = manifests::route(name, name, &[(name, 100)]) + &manifests::server(name, name, "");
        for (index, engine) in engines.iter().enumerate() {
            all += &manifests::pod(&format!("{name}-{index}"), name, &engine.ip());
        }
        let kthena = Setup::new(&[("all.yaml", &all)]).by_load().up();
        Self { kthena, name, engines }
    }

    fn client(&self) -> Client {
        self.kthena.client()
    }

    /// The endpoints' numbers that are left out.
    async fn ejected(&self) -> Vec<usize> {
        let page = self.kthena.debug().get("/debug/endpoints").await.ok().json();
        let endpoints = page["endpoints"].as_array().expect("a list").iter();
        let out = endpoints.filter(|endpoint| endpoint["ejectedForSeconds"].is_number());
        let number = |pod: &str| pod.rsplit('-').next().and_then(|number| number.parse().ok()).expect("a number");
        out.map(|endpoint| number(endpoint["pod"].as_str().expect("a name"))).collect()
    }

    /// Asks, one after the other, until just these are left out; statuses of the answers.
    async fn chats_until_ejected(&self, wanted: &[usize]) -> Vec<u16> {
        let (client, mut statuses) = (self.client(), Vec::new());
        until("the ejection", async || {
            statuses.push(client.chat(self.name).await.status);
            (self.ejected().await == wanted).then_some(())
        })
        .await;
        statuses
    }

    /// Requests for chats that an engine has got.
    async fn asked(&self, engine: usize) -> usize {
        let requests = self.engines[engine].client().get("/simulator/requests").await.ok().json();
        let posts = requests.as_array().expect("a list").iter().filter(|request| request["method"] == "POST");
        posts.count()
    }
}

#[tokio::test]
async fn an_engine_that_fails_is_asked_no_more_and_no_client_notices() {
    let fleet = Fleet::start("failing", &[&["status:status=500"], &[], &[]]);
    let statuses = fleet.chats_until_ejected(&[0]).await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    let asked = fleet.asked(0).await;
    let client = fleet.client();
    for _ in 0..30 {
        assert_ne!(client.chat("failing").await.ok().pod(), "0");
    }
    assert_eq!(fleet.asked(0).await, asked, "nothing was tried there");

    let decisions = fleet.kthena.debug().get("/debug/decisions?limit=1").await.ok().json();
    let endpoints = decisions["decisions"][0]["endpoints"].as_array().expect("a list");
    let dropped = endpoints.iter().find(|endpoint| endpoint["pod"] == "default/failing-0").expect("the one");
    assert_eq!(dropped["droppedBy"], "ejected", "{decisions}");
    let gauge = format!("kthena_router_endpoint_ejected{{endpoint=\"{}\"}} 1", fleet.engines[0].address());
    let metrics = fleet.kthena.metrics().get("/metrics").await.ok();
    assert!(metrics.text().lines().any(|line| line == gauge), "{gauge}");
}

#[tokio::test]
async fn an_engine_that_is_well_again_comes_back() {
    let fleet = Fleet::start("flapping", &[&["reset:path=/v1/chat,count=5"], &[]]);
    fleet.chats_until_ejected(&[0]).await;
    let client = fleet.client();
    until("it to serve again", async || (client.chat("flapping").await.ok().pod() == "0").then_some(())).await;
    until("its ejection to be over", async || fleet.ejected().await.is_empty().then_some(())).await;
}

#[tokio::test]
async fn streams_that_break_off_eject_too() {
    let fleet = Fleet::start("breaking", &[&["close:after=2"], &[]]);
    let client = fleet.client();
    until("the ejection", async || {
        let body = kthena_e2e::streamed("breaking", 8).to_string();
        let _ = client.try_post("/v1/chat/completions", &[], body).await;
        (fleet.ejected().await == [0]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_all_fail_ejects_nobody_and_their_answer_is_told() {
    let failing: &[&str] = &["status:status=500"];
    let fleet = Fleet::start("all-failing", &[failing, failing]);
    let client = fleet.client();
    for _ in 0..20 {
        assert_eq!(client.chat("all-failing").await.status, 500);
    }
    let told = |line: &&String| line.contains("model_name=all-failing ");
    until("the log of all", async || (fleet.kthena.output.lines().iter().filter(told).count() == 20).then_some(()))
        .await;
    assert_eq!(fleet.ejected().await, [0_usize; 0]);
}

#[tokio::test]
async fn an_engine_that_refuses_what_others_serve_is_asked_no_more() {
    let fleet = Fleet::start("refusing", &[&["status:status=401"], &[], &[]]);
    let statuses = fleet.chats_until_ejected(&[0]).await;
    assert!(statuses.iter().filter(|status| **status == 401).count() >= 20, "{statuses:?}");
    for _ in 0..20 {
        fleet.client().chat("refusing").await.ok();
    }
}

#[tokio::test]
async fn a_client_s_own_nonsense_ejects_nobody() {
    let fleet = Fleet::start("patient", &[&[], &[]]);
    let client = fleet.client();
    for _ in 0..60 {
        let body = r#"{"model":"patient","messages":[{"role":"user","content":"x"}],"max_tokens":-1}"#;
        assert_eq!(client.post("/v1/chat/completions", &[], body).await.status, 400);
    }
    client.chat("patient").await.ok();
    let told = |line: &&String| line.contains("model_name=patient ");
    until("the log of all", async || (fleet.kthena.output.lines().iter().filter(told).count() == 61).then_some(()))
        .await;
    assert_eq!(fleet.ejected().await, [0_usize; 0]);
}
