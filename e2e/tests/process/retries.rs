//! How often a request is tried, and what is never tried again.

use http::{Request, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioExecutor;
use kthena_e2e::{Client, Engine, Kthena, Loopback, Plane, Setup, chat, manifests, streamed, until};
use kthena_simulator::{Fault, Manners, Options};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

const CHAT: &str = "/v1/chat/completions";
const TIMED_OUT: &str = "request to pod timed out";

/// A ModelRoute, a ModelServer and Pods, all of one name.
fn model(name: &str, policy: &str, addresses: &[String]) -> String {
    let pods = addresses.iter().enumerate().map(|(i, ip)| manifests::pod(&format!("{name}-{i}"), name, ip));
    manifests::route(name, name, &[(name, 100)]) + &manifests::server(name, name, policy) + &pods.collect::<String>()
}

/// A quick engine with these faults, as the simulator's flags have them.
fn engine(name: &str, faults: &[&str]) -> Engine {
    let faults = faults.iter().map(|fault| fault.parse::<Fault>().expect("a fault")).collect();
    let ms = Duration::from_millis(1);
    let manners = Manners { faults, ..Manners::default() };
    Engine::simulated(name, Options { models: vec![name.into()], ttft: ms, tpot: ms, manners, ..Options::default() })
}

fn engines(name: &str, count: usize, faults: &[&str]) -> Vec<Engine> {
    (0..count).map(|_| engine(name, faults)).collect()
}

/// How many chats and the like each was asked.
async fn asked(engines: &[Engine]) -> Vec<usize> {
    let mut asked = Vec::new();
    for engine in engines {
        let requests = engine.client().get("/simulator/requests").await.ok().json();
        let posts = requests.as_array().expect("a list").iter().filter(|request| request["method"] == "POST");
        asked.push(posts.count());
    }
    asked
}

const PATIENT: &str = "  trafficPolicy:\n    timeout: 400ms\n";

/// Engines by the name of their ModelServer.
struct Fleet {
    kthena: Kthena,
    engines: Vec<(&'static str, Vec<Engine>)>,
    _dead: Vec<Loopback>,
}

impl Fleet {
    fn of(&self, name: &str) -> &[Engine] {
        &self.engines.iter().find(|(known, _)| *known == name).expect("a ModelServer of that name").1
    }
}

static FLEET: LazyLock<Fleet> = LazyLock::new(|| {
    let with_one = |name, mut bad: Vec<Engine>| {
        bad.push(engine(name, &[]));
        (name, bad)
    };
    let engines = vec![
        ("hang", engines("hang", 5, &["stall"])),
        ("hang-anthropic", engines("hang-anthropic", 5, &["stall"])),
        ("hang-forever", engines("hang-forever", 3, &["stall:for=2s"])),
        ("hang-edited", engines("hang-edited", 5, &["stall"])),
        with_one("hang-once", engines("hang-once", 1, &["stall"])),
        with_one("five-hundred", engines("five-hundred", 4, &["status:status=500"])),
        with_one("resetting", engines("resetting", 4, &["reset"])),
        with_one("closing", engines("closing", 4, &["close"])),
        with_one("refusing", vec![]),
        ("not-implemented", engines("not-implemented", 3, &["status:status=501"])),
        with_one("unregistered", engines("unregistered", 2, &["status:status=529"])),
        ("four-hundred", engines("four-hundred", 3, &["status:status=400"])),
        ("limited", engines("limited", 3, &["status:status=429"])),
        with_one("overloaded", engines("overloaded", 2, &["status:status=503"])),
        ("unannounced", engines("unannounced", 2, &["no-keep-alive"])),
        ("breaking", engines("breaking", 3, &["reset:after=3"])),
        ("ending", engines("ending", 3, &["close:after=3"])),
        ("breaking-h2", engines("breaking-h2", 3, &["reset:after=3"])),
        ("ending-h2", engines("ending-h2", 3, &["close:after=3"])),
        ("failing", engines("failing", 2, &["status:status=500"])),
    ];
    let dead: Vec<_> = (0..4).map(|_| Loopback::claim(&[8000])).collect();
    let mut all = String::new();
    for (name, engines) in &engines {
        let mut addresses: Vec<_> = engines.iter().map(Engine::ip).collect();
        if *name == "refusing" {
            addresses.extend(dead.iter().map(|dead| dead.ip().to_string()));
        }
        // Where nothing hangs, a machine that is busy must not look as if something did.
        let policy = if ["hang-forever", "unannounced"].contains(name) { "" } else { PATIENT };
        all += &model(name, policy, &addresses);
    }
    let kthena = Setup::new(&[("all.yaml", &all)]).by_load().up();
    Fleet { kthena, engines, _dead: dead }
});

#[tokio::test]
async fn of_all_tries_two_may_time_out() {
    let client = FLEET.kthena.client();
    let begin = Instant::now();
    let answer = client.chat("hang").await;
    let took = begin.elapsed();
    answer.assert_error(504, TIMED_OUT);
    assert_eq!(
        (answer.json()["error"]["code"].as_str(), answer.header("content-type")),
        (Some("timeout"), "application/json")
    );
    let asked = asked(FLEET.of("hang")).await;
    assert_eq!(asked.iter().sum::<usize>(), 2, "{asked:?} after {took:?}");
    assert!(took > Duration::from_millis(700), "both had their time: {took:?}");
    let line = FLEET.kthena.line(0, "the log of it", |line| line.contains("model_name=hang ")).await;
    assert!(
        line.contains(&format!(" 504 error=proxy:{TIMED_OUT} ")) && line.contains(" upstream_attempts=2 "),
        "{line}"
    );
    until("its end at the picker", async || (FLEET.kthena.in_flight().await? == 0).then_some(())).await;
}

#[tokio::test]
async fn a_timeout_has_the_client_s_shape() {
    let answer = FLEET.kthena.client().post("/v1/messages", &[], chat("hang-anthropic").to_string()).await;
    answer.assert_error(504, TIMED_OUT);
    assert_eq!(
        (answer.json()["type"].as_str(), answer.json()["error"]["type"].as_str()),
        (Some("error"), Some("timeout_error"))
    );
}

/// The filter's table is replaced meanwhile, and with it whoever looks after the request.
#[tokio::test]
async fn an_edit_does_not_change_the_patience_with_what_is_under_way() {
    let client = FLEET.kthena.client();
    let edits = async {
        for number in 0..6 {
            let name = format!("edit-{number}");
            FLEET.kthena.write(&format!("{name}.yaml"), &model(&name, "", &["127.9.9.9".to_owned()]));
            let served = async || (client.get("/v1/models").await.text().contains(&name)).then_some(());
            until("the edit to be in force", served).await;
        }
    };
    let (answer, ()) = tokio::join!(client.chat("hang-edited"), edits);
    answer.assert_error(504, TIMED_OUT);
    let asked = asked(FLEET.of("hang-edited")).await;
    assert_eq!(asked.iter().sum::<usize>(), 2, "{asked:?}");
    for number in 0..6 {
        FLEET.kthena.remove(&format!("edit-{number}.yaml"));
    }
}

#[tokio::test]
async fn one_timeout_costs_no_request() {
    for _ in 0..4 {
        FLEET.kthena.client().chat("hang-once").await.ok();
    }
}

#[tokio::test]
async fn without_a_timeout_an_engine_has_all_the_time_it_takes() {
    FLEET.kthena.client().chat("hang-forever").await.ok();
    assert_eq!(asked(FLEET.of("hang-forever")).await.iter().sum::<usize>(), 1);
}

#[tokio::test]
async fn what_fails_at_once_keeps_all_its_retries_where_there_is_a_timeout_too() {
    for name in ["five-hundred", "resetting", "closing", "refusing"] {
        // More would spend the budget.
        for _ in 0..2 {
            let answer = FLEET.kthena.client().chat(name).await;
            assert_eq!((answer.status, answer.pod()), (200, name), "{}", answer.text());
        }
    }
}

#[tokio::test]
async fn what_an_engine_refuses_is_not_tried_again() {
    for (name, status) in [("four-hundred", 400), ("limited", 429), ("not-implemented", 501)] {
        assert_eq!(FLEET.kthena.client().chat(name).await.status, status);
        assert_eq!(asked(FLEET.of(name)).await.iter().sum::<usize>(), 1, "{name}");
    }
}

/// 501 is the one that any engine would answer; what proxies before engines make up is tried elsewhere.
#[tokio::test]
async fn every_other_5xx_goes_to_another() {
    for _ in 0..4 {
        FLEET.kthena.client().chat("unregistered").await.ok();
    }
}

/// vLLM's, when its queue is full, has no `retry-after`.
#[tokio::test]
async fn an_overloaded_engine_s_503_goes_to_another() {
    for _ in 0..4 {
        let answer = FLEET.kthena.client().chat("overloaded").await.ok();
        assert_eq!(answer.header("retry-after"), "");
    }
}

#[tokio::test]
async fn a_connection_that_was_closed_in_the_pool_fails_no_request() {
    let client = FLEET.kthena.client();
    for round in 0..10 {
        let answers = futures::future::join_all((0..20).map(|_| client.chat("unannounced"))).await;
        for answer in answers {
            assert_eq!(answer.status, 200, "round {round}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn what_has_begun_is_not_begun_again_and_its_end_is_an_error() {
    for name in ["breaking", "ending"] {
        let mut stream = FLEET.kthena.client().stream(CHAT, &streamed(name, 50)).await.unwrap();
        assert_eq!(stream.status, 200);
        let mut events = 0;
        let error = loop {
            match stream.event().await {
                Ok(Some(event)) => {
                    assert_ne!(event, "[DONE]", "{name}");
                    events += 1;
                }
                Ok(None) => panic!("{name}: a clean end after {events} events"),
                Err(error) => break error,
            }
        };
        assert!((1..=3).contains(&events), "{name}: {events} events, then {error}");
        assert_eq!(asked(FLEET.of(name)).await.iter().sum::<usize>(), 1, "{name}");
    }
}

#[tokio::test]
async fn what_broke_off_is_reset_over_http_2() {
    let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    for name in ["breaking-h2", "ending-h2"] {
        let body = Full::new(Bytes::from(streamed(name, 50).to_string()));
        let uri = format!("http://{}{CHAT}", FLEET.kthena.address());
        let request = Request::post(uri).header("content-type", "application/json").body(body).unwrap();
        let answer = http.request(request).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, Version::HTTP_2));
        let error = answer.into_body().collect().await.expect_err("no clean end");
        assert!(format!("{error:?}").contains("Reset"), "{name}: {error:?}");
    }
}

#[tokio::test]
async fn retries_are_a_fifth_of_the_requests_and_a_few_more() {
    const REQUESTS: u64 = 150;
    let client = FLEET.kthena.client();
    for _ in 0..REQUESTS {
        let answer = client.chat("failing").await;
        assert_eq!(answer.status, 500, "{}", answer.text());
    }
    let count = async |family: &str| {
        let page = FLEET.kthena.metrics().get("/metrics").await.ok();
        let series =
            format!("kthena_router_{family}{{backend_type=\"model_server\",backend_name=\"default/failing\"}} ");
        let line = page.text().lines().find_map(|line| line.strip_prefix(&series))?;
        Some(line.parse::<u64>().expect("a count"))
    };
    let logged = |line: &&String| line.contains("model_name=failing ");
    let all = async || (FLEET.kthena.output.lines().iter().filter(logged).count() as u64 >= REQUESTS).then_some(());
    until("all of them in the log", all).await;
    let workers = FLEET.kthena.envoy_stats("^server.concurrency$").await["server.concurrency"];
    let (retries, withheld) = (count("retries_total").await.unwrap(), count("retry_budget_spent_total").await.unwrap());
    // Each worker has its own few more, and the last that may has as many as it likes; several windows may have passed.
    assert!(retries <= 2 * (REQUESTS / 5 + workers * (10 + 4)), "{retries} retries of {workers} workers");
    assert!(retries >= 10 && withheld > 0, "{retries} retries, {withheld} withheld");
    let decisions = FLEET.kthena.debug().get("/debug/decisions").await.ok().json();
    let told = |wanted: bool| {
        let all = decisions["decisions"].as_array().expect("a list").iter();
        all.filter(|one| one["target"] == "default/failing" && one["retriesWithheld"] == wanted).count()
    };
    assert!(told(true) > 0, "{decisions}");
}

/// Nothing is spared by not trying elsewhere what no engine has seen: were it withheld, the half that is drawn to the dead
/// pod would fail.
#[tokio::test]
async fn a_refused_connection_is_retried_however_little_is_left() {
    let (alive, dead) = (engine("half", &[]), Loopback::claim(&[8000]));
    let plane = Plane::start(&model("half", "", &[alive.ip(), dead.ip().to_string()])).await;
    let client: Client = plane.client();
    for _ in 0..20 {
        for answer in futures::future::join_all((0..20).map(|_| client.chat("half"))).await {
            answer.ok();
        }
    }
}
