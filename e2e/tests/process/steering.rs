//! Clients cannot choose their endpoint or our retries, whatever state the picker is in.
//!
//! Envoy's override_host policy serves any endpoint that it is told to, so everything hangs on the
//! filter's stripping what clients send.

use kthena_e2e::{Engine, Kthena, Loopback, Setup, chat, is_alive, manifests, until};
use kthena_simulator::Options;
use rustix::process::Signal;
use std::time::Duration;

const MODEL: &str = "open";

struct Fleet {
    kthena: Kthena,
    _open: Engine,
    secret: Engine,
}

fn fleet() -> Fleet {
    let open = Engine::simulated("open", Options { models: vec![MODEL.into()], speed: 100.0, ..Options::default() });
    let secret = Engine::simulated("secret", Options { models: vec![MODEL.into()], ..Options::default() });
    let manifests = manifests::route("open", MODEL, &[("open", 100)])
        + &manifests::server("open", MODEL, "")
        + &manifests::pod("open", "open", &open.ip())
        + &manifests::route("secret", "secret", &[("secret", 100)])
        + &manifests::server("secret", MODEL, "")
        + &manifests::pod("secret", "secret", &secret.ip());
    Fleet { kthena: Setup::new(&[("all.yaml", &manifests)]).up(), _open: open, secret }
}

/// Requests that `assert_not_steered` sends.
const REQUESTS: u64 = 11;

impl Fleet {
    /// Requests so far that Envoy let pass without the picker's word.
    async fn unpicked(&self) -> u64 {
        let stats = self.kthena.envoy_stats("ext_proc.kthena.failure_mode_allowed$").await;
        assert!(!stats.is_empty(), "Envoy counts them");
        stats.into_values().sum()
    }

    /// As `assert_not_steered`; whether no request met a picker.
    async fn not_steered_without_pick(&self, state: &str) -> bool {
        let before = self.unpicked().await;
        self.assert_not_steered(state).await;
        self.unpicked().await - before >= REQUESTS
    }

    /// Ten requests at once for the open model that ask to be served by the secret engine.
    async fn assert_not_steered(&self, state: &str) {
        let there = self.secret.address().to_string();
        let headers = [
            ("x-gateway-destination-endpoint", there.as_str()),
            ("x-kthena-target", "default/secret"),
            ("x-kthena-upstream-model", "secret"),
            ("x-kthena-backoff", "5000"),
        ];
        let client = self.kthena.client();
        let answers = (0..10).map(|_| client.chat_with(MODEL, &headers));
        for answer in futures::future::join_all(answers).await {
            assert_eq!((answer.status, answer.pod()), (200, "open"), "picker {state}: {}", answer.text());
        }
        // A request without a body takes another way through the filter.
        let headers = [&headers[..], &[("x-kthena-model", MODEL)]].concat();
        assert_eq!(client.get_with("/v1/nothing", &headers).await.pod(), "open", "picker {state}");
    }
}

#[tokio::test]
async fn a_client_cannot_choose_its_endpoint_whether_the_picker_lives_hangs_or_is_dead() {
    let fleet = fleet();
    let kthena = &fleet.kthena;
    fleet.assert_not_steered("alive").await;
    kthena.signal(kthena.child("router"), Signal::STOP);
    assert!(fleet.not_steered_without_pick("hung").await, "a picker that hangs says nothing");
    until("requests that all met no picker", async || {
        // The supervisor starts it again, after a longer pause each time: at last all requests fall into one.
        let router = until("a router", async || Some(kthena.child("router")).filter(|pid| is_alive(*pid))).await;
        kthena.signal(router, Signal::KILL);
        fleet.not_steered_without_pick("dead").await.then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_client_cannot_turn_our_retries_and_timeouts() {
    let slow = Options { models: vec![MODEL.into()], ttft: Duration::from_millis(100), ..Options::default() };
    let (engine, dead) = (Engine::simulated("alive", slow), Loopback::claim(&[8000]));
    let manifests = manifests::route("open", MODEL, &[("open", 100)])
        + &manifests::server("open", MODEL, "")
        + &manifests::pod("alive", "open", &engine.ip())
        + &manifests::pod("dead", "open", &dead.ip().to_string());
    let kthena = Setup::new(&[("all.yaml", &manifests)]).up();
    let headers = [
        ("x-envoy-max-retries", "0"),
        ("x-envoy-retry-on", "none"),
        ("x-envoy-upstream-rq-timeout-ms", "1"),
        ("x-envoy-upstream-rq-per-try-timeout-ms", "1"),
    ];
    let client = kthena.client();
    let answers = (0..20).map(|_| client.post("/v1/chat/completions", &headers, chat(MODEL).to_string()));
    for answer in futures::future::join_all(answers).await {
        assert_eq!((answer.status, answer.pod()), (200, "alive"), "{}", answer.text());
    }
}
