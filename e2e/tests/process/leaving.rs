//! Engines that are about to go, full, or that let go of their connections: others serve in their place.

use kthena_e2e::{Engine, Kthena, Setup, manifests, streamed};
use kthena_simulator::{Capacity, Manners, Options};
use std::time::Duration;

/// Both get their share, whatever they do.
const BY_CHANCE: &str = "scheduler: {plugins: {Score: {enabled: [{name: random, weight: 1}]}}}\n";

fn engine(name: &str, options: Options) -> Engine {
    let (ttft, tpot) = (Duration::from_millis(1), Duration::from_millis(1));
    Engine::simulated(name, Options { models: vec!["m".into()], ttft, tpot, ..options })
}

/// One model on these engines.
fn fleet(engines: &[&Engine], config: &str, policy: &str) -> Kthena {
    let pods = engines.iter().enumerate().map(|(i, engine)| manifests::pod(&format!("p-{i}"), "m", &engine.ip()));
    let manifests =
        manifests::route("m", "m", &[("m", 100)]) + &manifests::server("m", "m", policy) + &pods.collect::<String>();
    Setup::new(&[("all.yaml", &manifests)]).config(config).up()
}

/// How many of so many chats each engine answered; all are 200.
async fn served_by(kthena: &Kthena, count: usize, engine: &str) -> usize {
    let mut served = 0;
    for _ in 0..count {
        served += usize::from(kthena.client().chat("m").await.ok().pod() == engine);
    }
    served
}

#[tokio::test]
async fn an_engine_that_shuts_down_while_its_health_is_good_costs_no_request() {
    let leaving = engine("leaving", Options { shutdown_timeout: Duration::from_secs(600), ..Options::default() });
    let stays = engine("stays", Options::default());
    let kthena = fleet(&[&leaving, &stays], BY_CHANCE, "");
    let direct = leaving.client();
    assert!(served_by(&kthena, 40, "leaving").await > 0);
    let _address = leaving.leave();
    let refused =
        kthena_e2e::until("it to refuse", async || Some(direct.chat("m").await).filter(|answer| answer.status == 500));
    assert_eq!(
        refused.await.text(),
        r#"{"error":{"message":"cannot schedule new futures after shutdown","type":"InternalServerError","param":null,"code":500}}"#
    );
    assert_eq!(direct.get("/health").await.status, 200);
    assert_eq!(served_by(&kthena, 40, "stays").await, 40);
    kthena.line(0, "a retry", |line| line.contains("POST /v1/chat") && line.contains("upstream_attempts=2")).await;
}

#[tokio::test]
async fn what_an_engine_leaves_hanging_as_it_goes_ends_as_an_error() {
    let leaving = Engine::simulated(
        "leaving",
        Options {
            models: vec!["m".into()],
            tpot: Duration::from_millis(50),
            shutdown_timeout: Duration::from_millis(200),
            ..Options::default()
        },
    );
    let kthena = fleet(&[&leaving], "dataPlane: {streamIdleTimeout: 1s}\n", "");
    let mut stream = kthena.client().stream("/v1/chat/completions", &streamed("m", 1000)).await.expect("a stream");
    stream.event().await.expect("it begins").expect("it begins");
    let _address = leaving.leave();
    let error = stream.words().await.expect_err("it is cut");
    assert!(format!("{error:#}").contains("broke off"), "{error:#}");
    kthena.line(0, "its line", |line| line.contains("error=proxy:pod stopped answering")).await;
}

#[tokio::test]
async fn an_overloaded_engine_s_requests_go_to_another() {
    let capacity = Capacity { max_num_queued_reqs: Some(0), ..Capacity::default() };
    let full = engine("full", Options { capacity, ..Options::default() });
    let free = engine("free", Options::default());
    let answer = full.client().chat("m").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, ""), "{}", answer.text());
    let kthena = fleet(&[&full, &free], BY_CHANCE, "");
    assert_eq!(served_by(&kthena, 40, "free").await, 40);
    kthena.line(0, "a retry", |line| line.contains("POST /v1/chat") && line.contains("upstream_attempts=2")).await;
}

/// uvicorn closes an idle connection after 5 s. Clients come back at all times around Envoy's limit and the engine's.
#[tokio::test]
async fn connections_that_engines_close_when_idle_fail_no_request() {
    let engine = engine("a", Options { keep_alive: Duration::from_secs(5), ..Options::default() });
    let kthena = fleet(&[&engine], "{}", "  trafficPolicy:\n    retry:\n      attempts: 0\n");
    let client = kthena.client();
    let visits = (0..60u64).map(|visit| {
        let client = client.clone();
        async move {
            let first = client.chat("m").await.status;
            // What is looked at is the time itself.
            tokio::time::sleep(Duration::from_millis(3_700 + 25 * visit)).await;
            (first, client.chat("m").await.status)
        }
    });
    for (visit, statuses) in futures::future::join_all(visits).await.into_iter().enumerate() {
        assert_eq!(statuses, (200, 200), "visit {visit}");
    }
}

#[tokio::test]
async fn an_engine_that_closes_behind_every_answer_unannounced_fails_no_request() {
    let manners = Manners { faults: vec!["no-keep-alive".parse().expect("a fault")], ..Manners::default() };
    let engine = engine("a", Options { manners, ..Options::default() });
    let kthena = fleet(&[&engine], "{}", "");
    assert_eq!(served_by(&kthena, 200, "a").await, 200);
}
