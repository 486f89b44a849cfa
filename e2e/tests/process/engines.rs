//! Engines that are dead, slow or broken: what a client sees of them, and what it does not.

use kthena_e2e::{Answer, Client, Engine, Kthena, Loopback, Setup, manifests, streamed, until};
use kthena_simulator::Options;
use std::sync::LazyLock;
use std::time::Duration;

/// A ModelRoute, a ModelServer and Pods, all of one name.
fn model(name: &str, policy: &str, addresses: &[String]) -> String {
    let pods = addresses.iter().enumerate().map(|(i, ip)| manifests::pod(&format!("{name}-{i}"), name, ip));
    manifests::route(name, name, &[(name, 100)]) + &manifests::server(name, name, policy) + &pods.collect::<String>()
}

fn engine(model: &str, ttft: Duration, tpot: Duration) -> Engine {
    Engine::simulated("alive", Options { models: vec![model.into()], ttft, tpot, ..Options::default() })
}

fn quick(model: &str) -> Engine {
    engine(model, Duration::from_millis(1), Duration::from_millis(1))
}

struct Fleet {
    kthena: Kthena,
    _dead: [Loopback; 2],
    _engines: Vec<Engine>,
}

const NO_RETRY: &str = "  trafficPolicy:\n    retry:\n      attempts: 0\n";
const ONE_RETRY: &str = "  trafficPolicy:\n    timeout: 300ms\n    retry:\n      attempts: 1\n";

static FLEET: LazyLock<Fleet> = LazyLock::new(|| {
    let dead = [(); 2].map(|()| Loopback::claim(&[8000]));
    let second = Duration::from_secs(1);
    let engines = vec![
        quick("half-dead"),
        quick("no-retry"),
        engine("slow-start", 60 * second, second),
        engine("slow-stream", second / 100, second / 20),
        Engine::answering(500, "marker: out of memory"),
        Engine::answering(503, "marker: loading"),
        quick("pods-go"),
    ];
    let [half_dead, no_retry, slow_start, slow_stream, broken, loading, pods_go] =
        engines.iter().map(Engine::ip).collect::<Vec<_>>().try_into().expect("as many names as engines");
    // One for each test: who fails is known for it.
    let [nowhere, nobody] = dead.each_ref().map(|dead| dead.ip().to_string());
    let all = model("half-dead", "", &[half_dead, nowhere.clone()])
        + &model("no-retry", NO_RETRY, &[no_retry, nobody])
        + &model("all-dead", "", &[nowhere])
        + &model("slow-start", ONE_RETRY, &[slow_start])
        + &model("slow-stream", ONE_RETRY, &[slow_stream])
        + &model("broken", ONE_RETRY, &[broken])
        + &model("loading", "", &[loading]);
    let files = [("all.yaml", all), ("pods-go.yaml", model("pods-go", "", &[pods_go]))];
    let kthena = Setup::new(&files.each_ref().map(|(file, text)| (*file, text.as_str()))).by_load().up();
    Fleet { kthena, _dead: dead, _engines: engines }
});

async fn chats(model: &str, count: usize) -> Vec<Answer> {
    let (client, mut answers) = (FLEET.kthena.client(), Vec::new());
    for _ in 0..count {
        answers.push(client.chat(model).await);
    }
    answers
}

const ALL_FAILED: &str = "request to all pods failed";
const TIMED_OUT: &str = "request to pod timed out";

#[tokio::test]
async fn a_pod_where_nothing_listens_costs_no_request() {
    for answer in chats("half-dead", 100).await {
        assert_eq!((answer.status, answer.pod()), (200, "alive"), "{}", answer.text());
    }
}

#[tokio::test]
async fn without_retries_the_dead_pod_s_share_fails() {
    let answers = chats("no-retry", 60).await;
    let (good, bad): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert!(good.len() >= 5 && bad.len() >= 5, "{} good, {} bad", good.len(), bad.len());
    for answer in bad {
        answer.assert_error(503, ALL_FAILED);
        assert_eq!(answer.json()["error"]["type"], "server_error");
    }
}

#[tokio::test]
async fn when_every_pod_is_dead_the_client_is_told_in_its_own_shape() {
    for answer in chats("all-dead", 3).await {
        answer.assert_error(503, ALL_FAILED);
    }
    let body = kthena_e2e::chat("all-dead").to_string();
    let answer = FLEET.kthena.client().post("/v1/messages", &[], body).await;
    assert_eq!(
        (answer.status, answer.text().trim()),
        (503, r#"{"error":{"message":"request to all pods failed","type":"overloaded_error"},"type":"error"}"#)
    );
}

#[tokio::test]
async fn an_engine_that_takes_too_long_to_start_answering_is_a_timeout() {
    for answer in chats("slow-start", 2).await {
        answer.assert_error(504, TIMED_OUT);
        assert_eq!(answer.json()["error"]["code"], "timeout");
    }
}

#[tokio::test]
async fn a_stream_may_last_longer_than_the_timeout() {
    let stream = FLEET.kthena.client().stream("/v1/chat/completions", &streamed("slow-stream", 20)).await;
    assert_eq!(stream.expect("a stream").words().await.expect("it ends whole"), 20);
}

#[tokio::test]
async fn an_engine_s_last_error_is_what_the_client_sees() {
    for answer in chats("broken", 2).await {
        assert_eq!((answer.status, answer.text()), (500, "marker: out of memory"));
        assert_eq!(answer.header("content-type"), "text/plain");
    }
    for answer in chats("loading", 2).await {
        assert_eq!((answer.status, answer.text()), (503, "marker: loading"));
    }
}

#[tokio::test]
async fn a_model_server_without_pods_says_so_until_one_is_back() {
    let kthena = &FLEET.kthena;
    let client: Client = kthena.client();
    let whole = std::fs::read_to_string(kthena.file("pods-go.yaml")).expect("a manifest");
    let none = "no available pods for model server: default/pods-go";
    let refused = async || {
        let answer = client.chat("pods-go").await;
        (answer.status == 503 && answer.error() == none).then_some(())
    };
    let served = async || (client.chat("pods-go").await.pod() == "alive").then_some(());
    until("the pod to serve", served).await;
    let stream = client.stream("/v1/chat/completions", &streamed("pods-go", 2000)).await.expect("a stream opens");
    let without = whole.split("---\napiVersion: v1\nkind: Pod").next().expect("the part before the Pod");
    kthena.replace("pods-go.yaml", without);
    until("the pod to be missed", refused).await;
    assert_eq!(stream.words().await.expect("what it began it ends"), 2000);
    kthena.replace("pods-go.yaml", &whole);
    until("the pod to serve again", served).await;
    kthena.replace("pods-go.yaml", &whole.replace("status: \"True\"", "status: \"False\""));
    until("the pod that is not ready to be missed", refused).await;
}
