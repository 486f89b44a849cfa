//! The end of a router pod: readiness goes first, the router waits for what is in flight, Envoy goes last.

use kthena_e2e::{DEADLINE, Engine, Pod, Stream, manifests, streamed, until};
use kthena_simulator::Options;
use std::time::Duration;
use tokio::net::TcpStream;

/// At 20 ms each, 4 s: longer than what is done meanwhile.
const WORDS: u32 = 200;

/// Words of a stream that lasts 12 s: longer than [`LINGER`].
const MORE_WORDS: u32 = 600;

/// Time for new connections to come late, however slow the machine is.
const LINGER: &str = "10s";

/// Words of a stream that lasts over half an hour.
const ENDLESS: u32 = 100_000;

struct Served {
    pod: Pod,
    _engine: Engine,
}

async fn served(environment: &[(&str, &str)]) -> Served {
    let (ttft, tpot) = (Duration::from_millis(1), Duration::from_millis(20));
    let engine = Engine::simulated("engine", Options { models: vec!["m".into()], ttft, tpot, ..Options::default() });
    let all = manifests::route("m", "m", &[("m", 100)])
        + &manifests::server("m", "m", "")
        + &manifests::pod("m-0", "m", &engine.ip());
    Served { pod: Pod::start(&all, environment).await, _engine: engine }
}

async fn started(pod: &Pod, tokens: u32) -> Stream {
    let mut stream = pod.client().stream("/v1/chat/completions", &streamed("m", tokens)).await.expect("a stream");
    stream.event().await.expect("the first event").expect("not the end");
    stream
}

async fn closed(pod: &Pod) {
    until("the listener to close", async || TcpStream::connect(pod.address()).await.is_err().then_some(())).await;
}

#[tokio::test]
async fn readiness_goes_first_and_streams_end_whole_before_the_router_does() {
    let Served { pod, _engine } = served(&[("DRAIN_LINGER", LINGER)]).await;
    let stream = started(&pod, MORE_WORDS).await;
    pod.end_router();
    let answer = until("readiness to go", async || {
        let answer = pod.client().try_get("/readyz").await.ok()?;
        (answer.status == 503).then_some(answer)
    })
    .await;
    assert_eq!(answer.text(), r#"{"message":"router is not ready"}"#);
    // Others hear late that they had better not come.
    let late = pod.client().chat("m").await.ok();
    assert_eq!(late.header("connection"), "close");
    tokio::select! {
        words = stream.words() => assert_eq!(words.expect("it ends whole"), MORE_WORDS as usize),
        ended = pod.router_ended() => panic!("the router ended first: {ended}\n{}", pod.output.text()),
    }
    assert_eq!(pod.router_ended().await.code(), Some(0), "{}", pod.output.text());
}

#[tokio::test]
async fn connections_that_are_there_are_served_when_no_new_ones_are_taken() {
    let Served { pod, _engine } = served(&[("DRAIN_LINGER", "0s")]).await;
    let client = pod.client();
    client.get("/healthz").await.ok();
    let stream = started(&pod, WORDS).await;
    pod.end_router();
    closed(&pod).await;
    // A new connection would be refused.
    let answer = client.chat("m").await.ok();
    assert_eq!(answer.header("connection"), "close");
    assert_eq!(stream.words().await.expect("it ends whole"), WORDS as usize);
    assert_eq!(pod.router_ended().await.code(), Some(0), "{}", pod.output.text());
}

#[tokio::test]
async fn a_stream_beyond_the_drain_timeout_is_said_and_ends_as_an_error_with_envoy() {
    let Served { pod, _engine } = served(&[("DRAIN_LINGER", "0s"), ("DRAIN_TIMEOUT", "1s")]).await;
    let mut stream = started(&pod, ENDLESS).await;
    pod.end_router();
    assert_eq!(pod.router_ended().await.code(), Some(0), "{}", pod.output.text());
    let said = "requests in flight after 1s (DRAIN_TIMEOUT): 1";
    assert!(pod.output.find(0, |line| line.contains(said)).is_some(), "{}", pod.output.text());
    stream.event().await.expect("it goes on until Envoy ends").expect("not the end");
    pod.end_envoy();
    let ended = tokio::time::timeout(DEADLINE, stream.words()).await.expect("it ends");
    ended.expect_err("a broken stream does not look like a whole one");
}

#[tokio::test]
async fn asked_twice_the_router_ends_at_once() {
    let Served { pod, _engine } = served(&[("DRAIN_LINGER", "0s"), ("DRAIN_TIMEOUT", "10m")]).await;
    let _stream = started(&pod, ENDLESS).await;
    pod.end_router();
    closed(&pod).await;
    pod.end_router();
    assert_eq!(pod.router_ended().await.code(), Some(130), "{}", pod.output.text());
}
