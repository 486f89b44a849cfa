//! What the filter counts in Envoy's own statistics, under one prefix: there also while the router is away.

use http::Response;
use http_body_util::Full;
use kthena_e2e::{Engine, Kthena, Setup, manifests, until};
use rustix::process::Signal;
use std::future::pending;

const PREFIX: &str = "wasmcustom.kthena_filter_";

async fn stat(kthena: &Kthena, name: &str) -> u64 {
    let stats = kthena.envoy_stats("kthena_filter").await;
    *stats.get(&format!("{PREFIX}{name}")).unwrap_or_else(|| panic!("no {name} in {stats:?}"))
}

fn model(name: &str, engine: &Engine, more: &str) -> String {
    manifests::route(name, name, &[(name, 100)])
        + &manifests::server(name, name, more)
        + &manifests::pod(name, name, &engine.ip())
}

#[tokio::test]
async fn what_ends_in_the_filter_is_counted_without_the_router_too() {
    let gzip = Engine::serving(async |_| {
        let answer = Response::builder().header("content-type", "application/json").header("content-encoding", "gzip");
        answer.body(Full::from(&b"\x1f\x8b"[..])).expect("an answer")
    });
    let silent = Engine::serving(async |_| pending().await);
    let manifests = model("gzip", &gzip, "") + &model("silent", &silent, "  trafficPolicy:\n    timeout: 200ms\n");
    let kthena = Setup::new(&[("all.yaml", &manifests)]).up();
    let client = kthena.client();
    client.chat("gzip").await.ok();
    assert_eq!(stat(&kthena, "answers_encoded_total").await, 1);
    // Stopped and not killed, it is not started again.
    kthena.signal(kthena.child("router"), Signal::STOP);
    client.chat("nobody-offers-this").await.assert_error(404, "route not found");
    assert_eq!(client.chat("silent").await.status, 504);
    kthena.signal(kthena.child("router"), Signal::CONT);
    assert_eq!(stat(&kthena, "requests_refused_total").await, 1);
    assert_eq!(stat(&kthena, "requests_given_up_total").await, 1);
    assert_eq!(stat(&kthena, "retries_withheld_total").await, 0);
}

#[tokio::test]
async fn the_table_in_force_is_the_one_that_the_router_published() {
    let engine = Engine::answering(500, "{}");
    let kthena = Setup::new(&[("all.yaml", &model("one", &engine, ""))]).up();
    let published = async || {
        let page = kthena.metrics().get("/metrics").await.ok();
        let line = page.text().lines().find_map(|line| line.strip_prefix("kthena_router_table_version "));
        line.expect("a version").parse::<u64>().expect("a number")
    };
    let first = published().await;
    assert_eq!(stat(&kthena, "table_version").await, first);
    assert_eq!((stat(&kthena, "table_routes").await, stat(&kthena, "table_servers").await), (1, 1));
    kthena.write("more.yaml", &model("two", &engine, ""));
    until("the second route to be in force", async || (stat(&kthena, "table_routes").await == 2).then_some(())).await;
    until("the version to be published", async || {
        (published().await > first && published().await == stat(&kthena, "table_version").await).then_some(())
    })
    .await;
    // Enough failures that no more is tried.
    until("retries to be withheld", async || {
        kthena.client().chat("one").await;
        (stat(&kthena, "retries_withheld_total").await > 0).then_some(())
    })
    .await;
    assert_eq!(stat(&kthena, "tables_refused_total").await, 0);
}
