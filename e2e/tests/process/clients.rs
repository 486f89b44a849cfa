//! OpenAI's and Anthropic's own client libraries for Python: the suite in `e2e/clients`, run as one.
//!
//! What they do is what most clients do. They run against `kthena up --simulate`, and, for what goes wrong, against
//! engines that are full, broken, slow or not there.

use http::Response;
use http_body_util::Full;
use hyper::body::Bytes;
use kthena_e2e::{Engine, Kthena, Output, Says, Scripted, Setup, manifests, python_with_clients, spawn, until};
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

/// The suite takes some seconds on two idle cores.
const LIMIT: Duration = Duration::from_secs(120);

/// So many are there; a file that is not found or a test that is skipped must not go unnoticed.
const TESTS: usize = 54;

/// As vLLM says it.
const BUSY: &str =
    r#"{"error":{"message":"The engine is currently busy.","type":"Service Unavailable","param":null,"code":503}}"#;

#[tokio::test]
async fn the_libraries_that_people_use_work_with_all_that_they_offer() {
    let python = python_with_clients();
    // Each compiles the filter first, which takes a core some seconds.
    let others = thread::spawn(trouble);
    let served = served();
    let (trouble, _engines) = others.join().expect("the other stack starts");
    full(&trouble).await;

    let output = Output::default();
    let mut suite = spawn(&python, |command| {
        let directory = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/clients"));
        // Nothing of the user's own Python may get in, nor a proxy; and no caches into the sources.
        command.args(["-I", "-B", "-X", "dev", "-W", "error::SyntaxWarning", "-c"]);
        command.arg("import sys, unittest; sys.path.insert(0, sys.argv.pop(1)); unittest.main(module=None)");
        command.arg(directory).args(["discover", "--verbose", "--start-directory"]).arg(directory);
        command.env_clear();
        command.env("KTHENA_URL", format!("http://{}", served.address()));
        command.env("KTHENA_DEBUG_URL", format!("http://{}:15000", served.address().ip()));
        command.env("KTHENA_TROUBLE_URL", format!("http://{}", trouble.address()));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    });
    let readers =
        [output.follow(suite.stdout.take().expect("a pipe")), output.follow(suite.stderr.take().expect("a pipe"))];
    let started = Instant::now();
    let status = loop {
        if let Some(status) = suite.try_wait().expect("the suite's state") {
            break status;
        }
        if started.elapsed() > LIMIT {
            let _ = suite.kill();
            panic!("the suite has not ended after {LIMIT:?}:\n{}", output.text());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    readers.into_iter().for_each(|reader| reader.join().expect("reading does not panic"));
    assert!(status.success(), "{status}:\n{}\n\nthe router's words:\n{}", output.text(), served.output.text());
    let ran = output.lines().iter().any(|line| line.starts_with(&format!("Ran {TESTS} tests in ")));
    let all = output.lines().last().is_some_and(|line| line == "OK");
    assert!(ran && all, "not all {TESTS} tests ran:\n{}", output.text());
}

/// As `stack.py` describes it.
fn served() -> Kthena {
    let route =
        manifests::route("chat", "chat", &[("m", 100)]).replace("  rules:", "  loraAdapters: [adapter]\n  rules:");
    let lost = manifests::route("lost", "lost", &[("missing", 100)]);
    let setup = Setup::simulated(&[("all.yaml", &(route + &lost + &manifests::server("m", "org/Served-1B", "")))]);
    setup.config("dataPlane: {maxRequestBodyBytes: 262144}\n").env("METRICS_SCRAPE_INTERVAL", "300ms").up()
}

/// One engine that is full, one that is broken, one that never answers, and a model that has none.
fn trouble() -> (Kthena, (Scripted, Scripted, Engine)) {
    let (full, slow) = (Scripted::new("full"), Scripted::new("slow"));
    full.says(Says::Busy(1, 10));
    slow.holds(true);
    let broken = Engine::serving(|_| async {
        let answer = Response::builder().status(503).header("content-type", "application/json");
        answer.body(Full::new(Bytes::from_static(BUSY.as_bytes()))).expect("a valid answer")
    });
    let mut all = String::new();
    for (name, ip) in [("full", full.ip()), ("slow", slow.ip()), ("broken", broken.ip()), ("nobody", String::new())] {
        all += &(manifests::route(name, name, &[(name, 100)]) + &manifests::server(name, name, ""));
        if !ip.is_empty() {
            all += &manifests::pod(name, name, &ip);
        }
    }
    let filter = "scheduler: {plugins: {Filter: {enabled: [least-request]}, Score: {enabled: []}}}\n";
    let setup = Setup::new(&[("all.yaml", &all)]).config(filter).env("METRICS_SCRAPE_INTERVAL", "1s");
    (setup.up(), (full, slow, broken))
}

/// Until the router has heard of the queue, requests are served.
async fn full(trouble: &Kthena) {
    until("a refusal", async || (trouble.client().chat("full").await.status == 429).then_some(())).await;
}
