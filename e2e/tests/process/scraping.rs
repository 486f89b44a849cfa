//! What engines say of themselves decides where requests go, and what they do not say harms nobody.

use kthena_e2e::{Kthena, Says, Scripted, Setup, manifests, until};
use rustix::process::Signal;
use serde_json::Value;

/// Load alone decides: by default a prompt that an engine has answered before goes there again.
const BY_LOAD: &str = "scheduler: {plugins: {Filter: {enabled: [least-request]}, Score: {enabled: [{name: \
                       least-request, weight: 1}]}}}\n";
const INTERVAL: (&str, &str) = ("METRICS_SCRAPE_INTERVAL", "100ms");

struct Fleet {
    kthena: Kthena,
    a: Scripted,
    b: Scripted,
}

/// One model on two engines that say what they are told to say.
fn fleet(more: impl FnOnce(Setup) -> Setup) -> Fleet {
    let (a, b) = (Scripted::new("a"), Scripted::new("b"));
    let manifests = manifests::route("m", "m", &[("m", 100)])
        + &manifests::server("m", "m", "")
        + &manifests::pod("a", "m", &a.ip())
        + &manifests::pod("b", "m", &b.ip());
    let kthena = more(Setup::new(&[("all.yaml", &manifests)]).config(BY_LOAD).env(INTERVAL.0, INTERVAL.1)).up();
    Fleet { kthena, a, b }
}

impl Fleet {
    /// The Pod as the debug server shows it.
    async fn pod(&self, name: &str) -> Option<Value> {
        let page = self.kthena.debug().try_get("/debug/config_dump/pods").await.ok()?.json();
        page["pods"].as_array()?.iter().find(|pod| pod["name"] == name).cloned()
    }

    /// Waits until the router knows that of a Pod.
    async fn known(&self, name: &str, what: &str, holds: impl Fn(&Value) -> bool) {
        until(&format!("{name}: {what}"), async || self.pod(name).await.filter(|pod| holds(pod))).await;
    }

    /// Waits until the router knows what both say.
    async fn running(&self, a: u32, b: u32) {
        self.known("a", "its load", |pod| pod["metrics"]["requestRunningNum"] == a).await;
        self.known("b", "its load", |pod| pod["metrics"]["requestRunningNum"] == b).await;
    }

    /// Waits until the router knows what `b` says, whatever `a` does.
    async fn running_b(&self, b: u32) {
        self.known("b", "its load", |pod| pod["metrics"]["requestRunningNum"] == b).await;
    }

    /// Streams that Envoy opened to the picker and that it did not give up.
    async fn picks(&self) -> u64 {
        let stats = self.kthena.envoy_stats("ext_proc.kthena.stream_msgs_received$").await;
        stats.into_values().sum()
    }

    /// Twenty chats one after the other, all answered by that engine; of those that were picked for, since Envoy
    /// does not wait long for a pick on a busy machine.
    async fn all_go_to(&self, engine: &str) {
        let client = self.kthena.client();
        let without_pick = async || {
            let stats = self.kthena.envoy_stats("ext_proc.kthena.failure_mode_allowed$").await;
            stats.into_values().sum::<u64>()
        };
        let pods = until("twenty picks in time", async || {
            let (before, mut pods) = (without_pick().await, Vec::new());
            for _ in 0..20 {
                pods.push(client.chat("m").await.ok().pod().to_owned());
            }
            (without_pick().await == before).then_some(pods)
        });
        assert_eq!(pods.await, vec![engine; 20]);
    }

    async fn metric(&self, name: &str) -> Option<String> {
        let page = self.kthena.metrics().try_get("/metrics").await.ok()?;
        page.text().lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
    }
}

#[tokio::test]
async fn an_engine_busy_by_its_own_word_gets_no_request_while_another_is_idle() {
    let fleet = fleet(|setup| setup);
    fleet.a.says(Says::Busy(5, 2));
    fleet.running(5, 0).await;
    fleet.all_go_to("b").await;
    fleet.a.says(Says::Busy(0, 0));
    fleet.b.says(Says::Busy(3, 0));
    fleet.running(0, 3).await;
    fleet.all_go_to("a").await;
    let pod = fleet.pod("a").await.expect("it is shown");
    assert_eq!((&pod["engine"], &pod["models"][0], &pod["stale"]), (&"vLLM".into(), &"m".into(), &false.into()));
    assert_eq!(pod["metrics"]["gpuCacheUsage"], 0.25);
}

#[tokio::test]
async fn an_engine_whose_metrics_hang_delays_no_other_and_serves_on() {
    let fleet = fleet(|setup| setup);
    fleet.running(0, 0).await;
    fleet.a.says(Says::Hangs);
    fleet.known("a", "its silence", |pod| pod["stale"] == true).await;
    fleet.b.says(Says::Busy(4, 0));
    fleet.known("b", "its load", |pod| pod["metrics"]["requestRunningNum"] == 4).await;
    fleet.all_go_to("a").await;
}

#[tokio::test]
async fn metrics_that_die_are_told_once_and_not_believed_and_so_is_their_return() {
    let fleet = fleet(|setup| setup);
    fleet.a.says(Says::Busy(9, 0));
    fleet.running(9, 0).await;
    let mark = fleet.kthena.output.mark();
    fleet.a.says(Says::Nothing);
    let silent = |line: &str| line.contains("Pod default/a (") && line.contains("no metrics for 3 intervals");
    let line = fleet.kthena.line(mark, "a word about its silence", silent).await;
    assert!(line.contains("WARN") && line.ends_with("picked by requests in flight alone: status 500"), "{line}");
    fleet.known("a", "nothing", |pod| pod["stale"] == true && pod["metrics"]["requestRunningNum"].is_null()).await;
    assert_eq!(fleet.metric("kthena_router_scrape_stale_endpoints").await.as_deref(), Some("1"));
    let failures = "kthena_router_scrape_failures_total{page=\"metrics\",reason=\"status\"}";
    let failed = async || fleet.metric(failures).await.and_then(|count| count.parse::<u32>().ok());
    let seen = failed().await.expect("they are counted");
    // More than the one request that `a` may be thought to have yet: the picker hears of its end after the client.
    fleet.b.says(Says::Busy(3, 0));
    fleet.running_b(3).await;
    fleet.all_go_to("a").await;
    until("more failures", async || failed().await.filter(|count| *count >= seen + 5)).await;
    fleet.a.says(Says::Busy(2, 0));
    let back = |line: &str| line.contains("Pod default/a (") && line.contains("its metrics are known again");
    fleet.kthena.line(mark, "a word about its return", back).await;
    fleet.running(2, 3).await;
    let said = fleet.kthena.output.lines().iter().skip(mark).filter(|line| silent(line)).count();
    assert_eq!(said, 1, "{}", fleet.kthena.output.text());
}

#[tokio::test]
async fn an_engine_asleep_is_avoided_while_another_is_awake() {
    let fleet = fleet(|setup| setup);
    let asleep = |pod: &Value| pod["asleep"] == true;
    fleet.a.says(Says::Asleep);
    fleet.b.says(Says::Busy(50, 5));
    fleet.known("a", "its sleep", asleep).await;
    fleet.running_b(50).await;
    fleet.all_go_to("b").await;
    fleet.b.says(Says::Asleep);
    fleet.known("b", "its sleep", asleep).await;
    fleet.kthena.client().chat("m").await.ok();
    fleet.a.says(Says::Busy(0, 0));
    fleet.known("a", "its waking", |pod| pod["asleep"] == false).await;
    fleet.all_go_to("a").await;
}

#[tokio::test]
async fn after_a_restart_the_router_counts_what_engines_still_run() {
    let fleet = fleet(|setup| setup);
    fleet.a.says(Says::Truth);
    fleet.b.says(Says::Busy(50, 0));
    fleet.running(0, 50).await;
    fleet.a.holds(true);
    let client = fleet.kthena.client();
    let held = futures::future::join_all((0..3).map(|_| client.chat("m")));
    let meanwhile = async {
        until("three chats", async || (fleet.a.chats() == 3).then_some(())).await;
        let router = fleet.kthena.child("router");
        fleet.kthena.signal(router, Signal::KILL);
        until("another router", async || Some(fleet.kthena.child("router")).filter(|pid| *pid != router)).await;
        fleet.b.says(Says::Busy(0, 0));
        fleet.running(3, 0).await;
        let pod = fleet.pod("a").await.expect("it is shown");
        assert_eq!(pod["inFlight"], 0, "the new router sent nothing");
        // Envoy finds the new picker with its next connection, at the latest after its own back-off.
        until("picks", async || {
            let before = fleet.picks().await;
            client.chat("m").await;
            (fleet.picks().await > before).then_some(())
        })
        .await;
        fleet.all_go_to("b").await;
        fleet.a.holds(false);
    };
    let (held, ()) = futures::join!(held, meanwhile);
    for answer in held {
        assert_eq!(answer.ok().pod(), "a");
    }
}
