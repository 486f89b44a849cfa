//! Any one of our processes may die; requests go on.

use kthena_e2e::{Engine, Kthena, Loopback, Setup, is_alive, manifests, streamed, until};
use kthena_simulator::Options;
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// One model on two simulated pods at that pace.
pub(crate) fn up(ttft: &str, tpot: &str, more: impl FnOnce(Setup) -> Setup) -> Kthena {
    let manifests = manifests::route("m", "m", &[("m", 100)]) + &manifests::server("m", "m", "");
    more(Setup::simulated(&[("all.yaml", &manifests)]).pace(ttft, tpot)).up()
}

/// The pace and the length of a stream of twenty seconds: what has to be seen while it lasts is seen on a slow
/// machine too.
const SLOW: &str = "500ms";
const SLOW_WORDS: usize = 40;

/// Waits until the router child has another process id than `before`.
async fn another(kthena: &Kthena, child: &str, before: u32) -> u32 {
    until(&format!("another {child}"), async || Some(kthena.child(child)).filter(|pid| *pid != before)).await
}

async fn in_flight(kthena: &Kthena, expected: u64) {
    until(&format!("{expected} requests in flight"), async || {
        (kthena.in_flight().await == Some(expected)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_router_killed_under_two_hundred_streams_loses_no_event_and_comes_back() {
    const STREAMS: u64 = 200;
    let kthena = up("1ms", SLOW, |setup| setup);
    let client = kthena.client();
    let body = streamed("m", SLOW_WORDS as u32);
    let mut streams = Vec::new();
    // A few at a time: a pick that a busy machine makes too late is one that is not in flight.
    for _ in 0..STREAMS / 10 {
        for stream in futures::future::join_all((0..10).map(|_| client.stream("/v1/chat/completions", &body))).await {
            let mut stream = stream.expect("a stream opens");
            stream.event().await.expect("the first event").expect("not the end");
            streams.push(stream);
        }
    }
    in_flight(&kthena, STREAMS).await;
    let router = kthena.child("router");
    kthena.signal(router, Signal::KILL);
    let meanwhile = (0..50).map(|_| client.try_chat("m"));
    let (rest, meanwhile) = futures::join!(
        futures::future::join_all(streams.into_iter().map(kthena_e2e::Stream::words)),
        futures::future::join_all(meanwhile),
    );
    for words in rest {
        assert_eq!(words.expect("the stream ends whole"), SLOW_WORDS);
    }
    for answer in meanwhile {
        answer.expect("an answer while the router is away").ok();
    }
    another(&kthena, "router", router).await;
    let picked = async || kthena.envoy_stats("ext_proc.kthena.streams_started$").await.into_values().sum::<u64>();
    let before = picked().await;
    // Envoy finds the new picker with its next connection, at the latest after its own back-off.
    until("a pick", async || {
        let mut stream = client.stream("/v1/chat/completions", &body).await.expect("a stream opens");
        stream.event().await.expect("the first event");
        (kthena.in_flight().await == Some(1)).then_some(())
    })
    .await;
    assert!(picked().await > before, "Envoy asks the picker again");
    in_flight(&kthena, 0).await;
}

#[tokio::test]
async fn requests_are_answered_while_the_picker_hangs() {
    let kthena = up("1ms", "1ms", |setup| setup);
    let (client, router) = (kthena.client(), kthena.child("router"));
    client.chat("m").await.ok();
    kthena.signal(router, Signal::STOP);
    let start = Instant::now();
    for answer in futures::future::join_all((0..20).map(|_| client.try_chat("m"))).await {
        answer.expect("an answer without a pick").ok();
    }
    assert!(start.elapsed() < Duration::from_secs(10), "a pick is not waited for: {:?}", start.elapsed());
    kthena.signal(router, Signal::CONT);
    in_flight(&kthena, 0).await;
    client.chat("m").await.ok();
    assert_eq!(kthena.child("router"), router, "nobody restarted it");
}

#[tokio::test]
async fn a_dead_pod_costs_no_request_while_the_picker_hangs() {
    let options = Options { models: vec!["m".into()], speed: 100.0, ..Options::default() };
    let (engine, dead) = (Engine::simulated("alive", options), Loopback::claim(&[8000]));
    let manifests = manifests::route("m", "m", &[("m", 100)])
        + &manifests::server("m", "m", "")
        + &manifests::pod("alive", "m", &engine.ip())
        + &manifests::pod("dead", "m", &dead.ip().to_string());
    let kthena = Setup::new(&[("all.yaml", &manifests)]).up();
    kthena.signal(kthena.child("router"), Signal::STOP);
    let client = kthena.client();
    for answer in futures::future::join_all((0..100).map(|_| client.chat("m"))).await {
        // Nobody but Envoy itself knows that the other pod was tried.
        assert_eq!((answer.status, answer.pod()), (200, "alive"), "{}", answer.text());
    }
}

#[tokio::test]
async fn what_is_in_flight_returns_to_none_however_requests_end() {
    let kthena = up("1ms", SLOW, |setup| setup);
    let client = kthena.client();
    let body = streamed("m", SLOW_WORDS as u32);
    let opened = async |body| {
        let streams = (0..6).map(|_| client.stream("/v1/chat/completions", body));
        let streams = futures::future::try_join_all(streams).await.expect("streams open");
        in_flight(&kthena, 6).await;
        streams
    };

    let whole = futures::future::try_join_all(opened(&body).await.into_iter().map(kthena_e2e::Stream::words)).await;
    assert_eq!(whole.expect("streams end whole"), [SLOW_WORDS; 6]);
    in_flight(&kthena, 0).await;

    let endless = streamed("m", 100_000);
    drop(opened(&endless).await);
    in_flight(&kthena, 0).await;

    let mut streams = opened(&endless).await;
    for stream in &mut streams {
        stream.event().await.expect("the first event");
    }
    for pod in ["default/m-sim-0", "default/m-sim-1"] {
        kthena.signal(kthena.child(&format!("simulator {pod}")), Signal::KILL);
    }
    for stream in streams {
        assert!(stream.words().await.is_err(), "it breaks off with its engine");
    }
    in_flight(&kthena, 0).await;
    until("the engines' return", async || (client.chat("m").await.status == 200).then_some(())).await;
}

#[tokio::test]
async fn envoy_killed_comes_back_and_serves() {
    let kthena = up("1ms", "1ms", |setup| setup);
    kthena.client().chat("m").await.ok();
    let before = kthena.child("envoy");
    kthena.signal(before, Signal::KILL);
    let now = another(&kthena, "envoy", before).await;
    until("an answer of the new Envoy", async || {
        kthena.client().try_chat("m").await.is_ok_and(|answer| answer.status == 200).then_some(())
    })
    .await;
    assert!(!is_alive(before) && is_alive(now));
}
