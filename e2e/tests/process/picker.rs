//! A picker that dies, hangs or lies: what a ModelServer that fails open serves, and what one that fails closed refuses.

use kthena_e2e::picker::Answer;
use kthena_e2e::{Client, Engine, FakePicker, Loopback, Plane, Setup, Stream, manifests, streamed, until};
use kthena_simulator::Options;
use std::collections::BTreeSet;
use std::time::Duration;

/// Two ModelServers of two engines each, one that fails open and one that fails closed, and a foreign one.
struct Fleet {
    plane: Plane,
    engines: Vec<Engine>,
    dead: Loopback,
}

const NOT_PICKED: &str = "no pod was picked: the endpoint picker is away or found none";

/// Longer than Envoy waits for a pick, many times over.
const LATE: Duration = Duration::from_secs(60);

/// Of a stream that outlasts what is done meanwhile: at 20 ms each, 8 s.
const WORDS: u32 = 400;

/// Requests at a time.
const LOAD: usize = 100;

// === impl Fleet ===

impl Fleet {
    async fn start() -> Self {
        let engine = |name: &str| {
            let model = name.split('-').next().unwrap_or_default().to_owned();
            let (ttft, tpot) = (Duration::from_millis(1), Duration::from_millis(20));
            Engine::simulated(name, Options { models: vec![model], ttft, tpot, ..Options::default() })
        };
        let names = ["open-0", "open-1", "close-0", "close-1", "foreign-0"];
        let engines: Vec<_> = names.map(engine).into();
        let dead = Loopback::claim(&[8000]);
        let mut all = String::new();
        for model in ["open", "close", "foreign"] {
            all += &manifests::route(model, model, &[(model, 100)]);
            let server = manifests::server(model, model, "");
            all += &match model {
                "close" => with_mode(&server, "FailClose"),
                _ => server,
            };
        }
        for (name, engine) in names.iter().zip(&engines) {
            let app = name.split('-').next().unwrap_or_default();
            all += &manifests::pod(name, app, &engine.ip());
        }
        for app in ["open", "close"] {
            all += &manifests::pod(&format!("{app}-dead"), app, &dead.ip().to_string());
        }
        Self { plane: Plane::start(&all).await, engines, dead }
    }

    fn client(&self) -> Client {
        self.plane.client()
    }

    fn engine(&self, name: &str) -> &Engine {
        let names = ["open-0", "open-1", "close-0", "close-1", "foreign-0"];
        let index = names.iter().position(|known| *known == name).expect("an engine of that name");
        &self.engines[index]
    }

    /// Where the engine of that name listens.
    fn at(&self, name: &str) -> String {
        self.engine(name).address().to_string()
    }

    /// A picker that Envoy has found.
    async fn picker(&self, answer: Answer) -> FakePicker {
        let (picker, client) = (self.plane.picker(answer), self.client());
        until("Envoy to ask the picker", async || {
            let _ = client.try_chat("foreign").await;
            (picker.asked() > 0).then_some(())
        })
        .await;
        picker
    }
}

/// A ModelServer that says what happens without a pick.
fn with_mode(server: &str, mode: &str) -> String {
    let annotation = format!("  annotations:\n    networking.serving.volcano.sh/picker-failure-mode: {mode}\n");
    server.replacen("metadata:\n", &format!("metadata:\n{annotation}"), 1)
}

/// Who served a load of requests; each was served.
async fn served(client: &Client, model: &str) -> BTreeSet<String> {
    let answers = futures::future::join_all((0..LOAD).map(|_| client.chat(model))).await;
    answers.into_iter().map(|answer| answer.ok().pod().to_owned()).collect()
}

/// Each of a load of requests was refused for want of a pick.
async fn refused(client: &Client, model: &str) {
    for answer in futures::future::join_all((0..LOAD).map(|_| client.chat(model))).await {
        answer.assert_error(503, NOT_PICKED);
        assert_eq!(answer.json()["error"]["code"], "no_pod_picked");
    }
}

fn pods(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn without_a_picker_the_one_fails_open_and_the_other_closed() {
    let fleet = Fleet::start().await;
    let client = fleet.client();
    assert_eq!(served(&client, "open").await, pods(&["open-0", "open-1"]));
    refused(&client, "close").await;
    let body = kthena_e2e::chat("close").to_string();
    let answer = client.post("/v1/messages", &[], body).await;
    answer.assert_error(503, NOT_PICKED);
    assert_eq!(answer.json()["type"], "error", "in Anthropic's shape");
}

#[tokio::test]
async fn a_pick_is_served_by_whom_it_names_whatever_the_mode() {
    let fleet = Fleet::start().await;
    let client = fleet.client();
    for (model, pod) in [("open", "open-1"), ("close", "close-1")] {
        let _picker = fleet.picker(Answer::destination(fleet.at(pod))).await;
        assert_eq!(served(&client, model).await, pods(&[pod]));
    }
}

#[tokio::test]
async fn a_picker_killed_under_streams_cuts_none_whatever_the_mode() {
    let fleet = Fleet::start().await;
    let client = fleet.client();
    let mut streams = Vec::new();
    for (model, pod) in [("open", "open-0"), ("close", "close-0")] {
        let picker = fleet.picker(Answer::destination(fleet.at(pod))).await;
        let body = streamed(model, WORDS);
        let open = futures::future::join_all((0..LOAD).map(|_| client.stream("/v1/chat/completions", &body))).await;
        for stream in open {
            let mut stream = stream.expect("a stream opens");
            stream.event().await.expect("the first event").expect("not the end");
            streams.push(stream);
        }
        let state = fleet.engine(pod).client().get("/simulator/state").await.ok().json();
        assert_eq!(state["running"], LOAD, "every stream is under way");
        drop(picker);
    }
    assert_eq!(served(&client, "open").await, pods(&["open-0", "open-1"]));
    refused(&client, "close").await;
    for words in futures::future::join_all(streams.into_iter().map(Stream::words)).await {
        assert_eq!(words.expect("the stream ends whole"), WORDS as usize);
    }
}

#[tokio::test]
async fn a_picker_that_is_slow_is_waited_for_and_one_that_is_too_slow_is_not() {
    let fleet = Fleet::start().await;
    let client = fleet.client();
    let to = |pod: &str| Box::new(Answer::destination(fleet.at(pod)));
    {
        let _picker = fleet.picker(Answer::After(Duration::from_millis(20), to("close-1"))).await;
        assert_eq!(served(&client, "close").await, pods(&["close-1"]));
    }
    for slow in [Answer::After(LATE, to("close-1")), Answer::Silence] {
        let _picker = fleet.picker(slow).await;
        assert_eq!(served(&client, "open").await, pods(&["open-0", "open-1"]));
        refused(&client, "close").await;
    }
}

#[tokio::test]
async fn an_answer_that_is_none_is_no_pick() {
    let fleet = Fleet::start().await;
    let client = fleet.client();
    let no_picks = [
        Answer::Garbage(b"\xff\xff\xff\xff"),
        Answer::Garbage(b""),
        Answer::Other,
        Answer::Refuse,
        Answer::Destination(String::new()),
        Answer::destination("nobody, \u{1F408}, 1.2.3.4, :80, [::1"),
        Answer::destination("192.0.2.1:8000"),
    ];
    for answer in no_picks {
        let shown = format!("{answer:?}");
        let _picker = fleet.picker(answer).await;
        assert_eq!(served(&client, "open").await, pods(&["open-0", "open-1"]), "{shown}");
        refused(&client, "close").await;
    }
}

#[tokio::test]
async fn a_dead_endpoint_that_was_picked_is_passed_over() {
    let fleet = Fleet::start().await;
    let client = fleet.client();
    let dead = fleet.dead.at(8000);
    {
        let _picker = fleet.picker(Answer::destination(format!("{dead},{}", fleet.at("close-1")))).await;
        assert_eq!(served(&client, "close").await, pods(&["close-1"]));
    }
    {
        let _picker = fleet.picker(Answer::destination(dead)).await;
        assert_eq!(served(&client, "open").await, pods(&["open-0", "open-1"]));
    }
    // As our picker does where only a pick may serve: one entry for each try.
    let _picker = fleet.picker(Answer::destination(vec![dead.to_string(); 5].join(","))).await;
    for answer in futures::future::join_all((0..LOAD).map(|_| client.chat("close"))).await {
        answer.assert_error(503, "request to all pods failed");
        assert_eq!(answer.json()["error"]["code"], "upstream_failed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_every_pod_failed_with_is_told_whatever_the_mode_and_however_few_they_are() {
    const BODY: &str = "out of memory";
    let failing = [Engine::answering(500, BODY), Engine::answering(500, BODY)];
    let dead = Loopback::claim(&[8000]);
    let engine = Engine::simulated("it", Options { models: vec!["mixed".to_owned()], ..Options::default() });
    let mut all = String::new();
    for (name, pods) in [
        ("one", vec![failing[0].ip()]),
        ("two", vec![failing[0].ip(), failing[1].ip()]),
        ("dead", vec![dead.ip().to_string()]),
        ("mixed", vec![dead.ip().to_string(), engine.ip()]),
    ] {
        for mode in ["FailOpen", "FailClose"] {
            let server = format!("{name}-{}", mode.to_lowercase());
            all += &manifests::route(&server, &server, &[(&server, 100)]);
            all += &with_mode(&manifests::server(&server, name, ""), mode);
            for (index, ip) in pods.iter().enumerate() {
                all += &manifests::pod(&format!("{server}-{index}"), &server, ip);
            }
        }
    }
    let kthena = Setup::new(&[("all.yaml", &all)]).up();
    let client = kthena.client();
    for mode in ["failopen", "failclose"] {
        for name in ["one", "two"] {
            let answer = client.chat(&format!("{name}-{mode}")).await;
            assert_eq!((answer.status, answer.text()), (500, BODY), "{name} {mode}");
        }
        let answer = client.chat(&format!("dead-{mode}")).await;
        answer.assert_error(503, "request to all pods failed");
        assert_eq!(answer.json()["error"]["code"], "upstream_failed");
        assert_eq!(client.chat(&format!("mixed-{mode}")).await.ok().pod(), "it");
    }
}

#[tokio::test]
async fn a_list_of_a_thousand_endpoints_is_walked_from_its_start() {
    let fleet = Fleet::start().await;
    let list = vec![fleet.at("close-0"); 1000].join(",");
    let _picker = fleet.picker(Answer::Destination(list)).await;
    assert_eq!(served(&fleet.client(), "close").await, pods(&["close-0"]));
}

/// Envoy serves any engine that it is told to: it is the picker that must not name a foreign one. What keeps a
/// client from naming it is that its headers are stripped (`steering.rs`).
#[tokio::test]
async fn the_picker_is_trusted_with_every_engine_and_every_answer_but_with_no_header_but_its_own() {
    let fleet = Fleet::start().await;
    let client = fleet.client();
    {
        let _picker = fleet.picker(Answer::destination(fleet.at("foreign-0"))).await;
        let answers = futures::future::join_all((0..LOAD).map(|_| client.chat("close"))).await;
        for answer in answers {
            assert_eq!((answer.status, answer.pod()), (404, "foreign-0"), "its engine knows no such model");
        }
    }
    {
        let _picker = fleet.picker(Answer::Immediate(429)).await;
        assert_eq!(client.chat("close").await.status, 429);
    }
    let set = ["x-kthena-subset", "x-envoy-retry-on", "authorization", ":path", "host"];
    let headers = set.map(|name| (name, "default/foreign".to_owned())).to_vec();
    let picked = ("x-gateway-destination-endpoint", fleet.at("close-0"));
    let _picker = fleet.picker(Answer::Headers([headers, vec![picked]].concat())).await;
    assert_eq!(served(&client, "close").await, pods(&["close-0"]));
    let received = fleet.engines[2].client().get("/simulator/requests").await.ok();
    assert!(!received.text().contains("default/foreign"), "{}", received.text());
}
