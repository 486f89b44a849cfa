//! What the debug port answers to programs, and to whom.

use kthena_e2e::{Kthena, Setup, manifests, until};
use std::sync::LazyLock;

static DEBUGGED: LazyLock<Kthena> = LazyLock::new(|| {
    let all = manifests::route("m", "m", &[("m", 100)]) + &manifests::server("m", "served", "");
    Setup::simulated(&[("all.yaml", &all)]).up()
});

#[tokio::test]
async fn a_decision_is_explained_by_the_request_s_id() {
    DEBUGGED.client().chat_with("m", &[("x-request-id", "explained-1")]).await.ok();
    let answer = DEBUGGED.debug().get("/debug/decisions?target=default/m&model=served").await.ok().json();
    let decisions = answer["decisions"].as_array().unwrap();
    let decision = decisions.iter().find(|decision| decision["requestId"] == "explained-1").expect("the request");
    assert_eq!(decision["picks"].as_array().unwrap().len(), 2, "{decision:#}");
    assert_eq!(decision["scorers"][0]["name"], "least-request");
    assert!(decision["endpoints"].as_array().unwrap().iter().all(|endpoint| endpoint["total"].is_number()));
    let none = DEBUGGED.debug().get("/debug/decisions?target=default/other").await.json();
    assert_eq!(none["decisions"].as_array().unwrap().len(), 0);
    let one = DEBUGGED.debug().get("/debug/decisions?limit=1").await.json();
    assert_eq!(one["decisions"].as_array().unwrap().len(), 1);
    let refused = DEBUGGED.debug().get("/debug/decisions?limit=many").await;
    assert_eq!((refused.status, refused.json()["error"].is_string()), (400, true), "{}", refused.text());
}

#[tokio::test]
async fn the_log_filter_changes_at_run_time_and_a_bad_one_changes_nothing() {
    let debug = DEBUGGED.debug();
    assert_eq!(debug.get("/debug/log").await.ok().json()["filter"], "notify=off,info");
    debug.put("/debug/log", &[], "info,kthena_ext_proc=debug").await.ok();
    let refused = debug.put("/debug/log", &[], "loud").await;
    assert!(refused.status == 400 && refused.text().contains("`loud` is no level"), "{}", refused.text());
    assert_eq!(debug.get("/debug/log").await.json()["filter"], "kthena_ext_proc=debug,info");
    DEBUGGED.line(0, "the change", |line| line.contains("log filter: kthena_ext_proc=debug,info")).await;
}

#[tokio::test]
async fn web_sites_are_refused() {
    let debug = DEBUGGED.debug();
    for path in ["/", "/debug/decisions", "/debug/xds", "/debug/pprof/"] {
        assert_eq!(debug.get_with(path, &[("host", "evil.example:15000")]).await.status, 403, "{path}");
        assert_eq!(debug.get_with(path, &[("host", "localhost:15000")]).await.status, 200, "{path}");
    }
    let put = debug.put("/debug/log", &[("origin", "http://evil.example")], "trace").await;
    assert_eq!(put.status, 403, "{}", put.text());
    let page = debug.get("/").await.ok();
    assert!(page.header("content-security-policy").starts_with("default-src 'none'; script-src 'self'"));
    assert_eq!(page.header("x-content-type-options"), "nosniff");
}

#[tokio::test]
async fn profiles_are_taken_one_at_a_time_and_for_a_bounded_time() {
    let debug = DEBUGGED.debug();
    for seconds in ["0", "61", "x"] {
        let refused = debug.get(&format!("/debug/pprof/profile?seconds={seconds}")).await;
        assert!(refused.status == 400 && refused.text().contains("from 1 to 60"), "{}", refused.text());
    }
    let long = tokio::spawn({
        let debug = debug.clone();
        // The heap profiles asked for below may be first.
        async move { while debug.get("/debug/pprof/profile?seconds=60").await.status == 409 {} }
    });
    until("the first profile being taken", async || {
        let second = debug.get("/debug/pprof/heap").await;
        (second.status == 409).then_some(())
    })
    .await;
    // Whoever goes away takes no more profile.
    long.abort();
    let heap = until("a heap profile", async || {
        let heap = debug.get("/debug/pprof/heap").await;
        (heap.status == 200).then_some(heap)
    })
    .await;
    let cpu = debug.get("/debug/pprof/profile?seconds=1").await.ok();
    for profile in [heap, cpu] {
        assert!(profile.body.starts_with(&[0x1f, 0x8b]), "gzip");
    }
}
