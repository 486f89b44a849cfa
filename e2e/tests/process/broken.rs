//! Answers that begin and do not end as they should: cut, told to have failed, or silent for good.

use kthena_e2e::{Engine, Kthena, Setup, chat, manifests, streamed, until};
use kthena_simulator::Options;
use serde_json::{Value, json};
use std::time::Duration;

const CHAT: &str = "/v1/chat/completions";

/// One model on one engine, and a configuration of the router.
fn one(config: &str) -> (Kthena, Engine) {
    let (ttft, tpot) = (Duration::from_millis(1), Duration::from_millis(1));
    let engine = Engine::simulated("a", Options { models: vec!["m".into()], ttft, tpot, ..Options::default() });
    let manifests = manifests::route("m", "m", &[("m", 100)])
        + &manifests::server("m", "m", "  trafficPolicy:\n    retry:\n      attempts: 0\n")
        + &manifests::pod("a", "m", &engine.ip());
    (Setup::new(&[("all.yaml", &manifests)]).config(config).up(), engine)
}

/// For requests of that path alone: the router asks for `/v1/models` all the time.
async fn arm(engine: &Engine, path: &str, mut fault: Value) {
    fault["path"] = path.into();
    engine.client().post("/simulator/faults", &[], fault.to_string()).await.ok();
}

/// The log's line of a request.
async fn line(kthena: &Kthena, id: &str) -> String {
    kthena.line(0, id, |line| line.contains(&format!("request_id={id} "))).await
}

async fn idle(kthena: &Kthena, engine: &Engine) {
    until("nothing in flight", async || (kthena.in_flight().await? == 0).then_some(())).await;
    until("nothing running", async || {
        let state = engine.client().get("/simulator/state").await.json();
        (state["running"] == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_error_event_is_a_failure_though_done_and_a_clean_end_follow() {
    let (kthena, engine) = one("{}");
    let message = "EngineCore encountered an issue. See stack trace (above) for the root cause.";
    let openai = format!(
        "data: {{\"error\": {{\"message\": \"{message}\", \"type\": \"InternalServerError\", \"param\": null, \"code\": \
         500}}}}\n\ndata: [DONE]\n\n"
    );
    let anthropic = format!(
        "event: error\ndata: {{\"type\":\"error\",\"error\":{{\"type\":\"internal_error\",\"message\":\"{message}\"}}}}\n\n"
    );
    let completion = json!({"model": "m", "prompt": "x", "stream": true, "max_tokens": 9});
    let response = json!({"model": "m", "input": "x", "stream": true, "max_output_tokens": 9});
    for (path, body, last) in [
        ("/v1/chat/completions", streamed("m", 9), &openai),
        ("/v1/completions", completion, &openai),
        ("/v1/responses", response, &openai),
        ("/v1/messages", streamed("m", 9), &anthropic),
    ] {
        arm(&engine, path, json!({"kind": "error", "after": 3, "count": 1})).await;
        let id = format!("died{}", path.replace('/', "-"));
        let answer = kthena.client().post(path, &[("x-request-id", &id)], body.to_string()).await;
        assert_eq!((answer.status, answer.text().ends_with(last.as_str())), (200, true), "{path}: {}", answer.text());
        // It says as much as from the engine itself, but for its ids and the usage that we asked for.
        let events = answer.text().matches("data: ").count() - last.matches("data: ").count();
        assert!(events >= 3, "{path}: {}", answer.text());
        let line = line(&kthena, &id).await;
        let error = format!("error=proxy:pod told an error in its answer (500: {message})");
        assert!(line.contains(" 200 ") && line.contains(&error), "{line}");
    }
    idle(&kthena, &engine).await;
    until("its metric", async || {
        let page = kthena.metrics().try_get("/metrics").await.ok()?;
        let counted = |line: &str| line.contains("requests_total{") && line.contains("error_type=\"proxy\"");
        let lines = page.text().lines().filter(|line| counted(line) && line.contains("status_code=\"200\""));
        (lines.count() == 4).then_some(())
    })
    .await;
    let whole = kthena.client().chat_with("m", &[("x-request-id", "well")]).await.ok();
    assert_eq!(whole.pod(), "a");
    assert!(!line(&kthena, "well").await.contains("error="));
}

#[tokio::test]
async fn what_a_client_is_to_blame_for_is_not_the_engine_s_failure() {
    let (kthena, engine) = one("{}");
    arm(&engine, CHAT, json!({"kind": "error", "after": 0, "status": 400})).await;
    kthena.client().post("/v1/chat/completions", &[("x-request-id", "bad")], streamed("m", 9).to_string()).await.ok();
    let line = line(&kthena, "bad").await;
    assert!(line.contains("error=request_failed:pod told an error in its answer (400: "), "{line}");
}

#[tokio::test]
async fn a_stream_that_is_cut_ends_as_an_error_and_counts_as_a_failure() {
    let (kthena, engine) = one("{}");
    for kind in ["reset", "close"] {
        arm(&engine, CHAT, json!({"kind": kind, "after": 3, "count": 1})).await;
        let body = streamed("m", 9).to_string();
        let answer = kthena.client().try_post("/v1/chat/completions", &[("x-request-id", kind)], body).await;
        assert!(answer.is_err(), "{kind}: {answer:?}");
        let line = line(&kthena, kind).await;
        assert!(line.contains("error=proxy:pod broke off its answer"), "{line}");
    }
    idle(&kthena, &engine).await;
}

const SHORT: &str = "dataPlane: {streamIdleTimeout: 1s}\n";

#[tokio::test]
async fn a_stream_that_hangs_for_good_ends_as_an_error_and_lets_go_of_its_engine() {
    let (kthena, engine) = one(SHORT);
    arm(&engine, CHAT, json!({"kind": "stall", "after": 3, "count": 1})).await;
    let body = streamed("m", 9).to_string();
    let answer = kthena.client().try_post("/v1/chat/completions", &[("x-request-id", "hung")], body).await;
    assert!(answer.is_err(), "{answer:?}");
    let line = line(&kthena, "hung").await;
    assert!(line.contains("error=proxy:pod stopped answering"), "{line}");
    idle(&kthena, &engine).await;
}

#[tokio::test]
async fn an_engine_that_never_answers_holds_no_request_for_ever() {
    let (kthena, engine) = one(SHORT);
    for (path, id) in [("/v1/chat/completions", "mute"), ("/v1/messages", "mute-messages")] {
        arm(&engine, path, json!({"kind": "stall", "count": 1})).await;
        let answer = kthena.client().post(path, &[("x-request-id", id)], chat("m").to_string()).await;
        answer.assert_error(504, "request to pod timed out");
        let line = line(&kthena, id).await;
        assert!(line.contains("error=proxy:request to pod timed out"), "{line}");
    }
    idle(&kthena, &engine).await;
}

#[tokio::test]
async fn an_edit_of_the_idle_timeout_holds_for_new_requests_and_cuts_no_connection() {
    let (kthena, engine) = one("{}");
    let slow = Engine::simulated(
        "slow",
        Options { models: vec!["slow".into()], tpot: Duration::from_millis(20), ..Options::default() },
    );
    let manifests = manifests::route("slow", "slow", &[("slow", 100)])
        + &manifests::server("slow", "slow", "")
        + &manifests::pod("slow", "slow", &slow.ip());
    kthena.replace("slow.yaml", &manifests);
    until("the slow one", async || (kthena.client().chat("slow").await.status == 200).then_some(())).await;
    let before = kthena.envoy_stats("^http.kthena.downstream_cx_drain_close$").await;
    let stream = kthena.client().stream("/v1/chat/completions", &streamed("slow", 200)).await.expect("a stream");
    std::fs::write(kthena.file("../router.yaml"), SHORT).expect("the configuration");
    kthena.line(0, "the edit", |line| line.contains("in force as it is now")).await;
    arm(&engine, CHAT, json!({"kind": "stall"})).await;
    until("the new timeout", async || {
        let client = kthena.client();
        let answer = tokio::time::timeout(Duration::from_secs(5), client.try_chat("m")).await.ok()?;
        (answer.ok()?.status == 504).then_some(())
    })
    .await;
    assert_eq!(stream.words().await.expect("what began goes on"), 200);
    assert_eq!(kthena.envoy_stats("^http.kthena.downstream_cx_drain_close$").await, before);
}
