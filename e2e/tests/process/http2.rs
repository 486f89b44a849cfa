//! Clients that speak HTTP/2 without TLS are served as those of HTTP/1.1 are, on the same port.

use crate::bodies::{BODIES, MODEL};
use http::Version;
use kthena_e2e::{Client, Speaks, streamed};

#[tokio::test]
async fn prior_knowledge_of_http2_and_http1_are_served_on_one_port() {
    let address = BODIES.kthena.address();
    for (speaks, version) in [(Speaks::H2c, Version::HTTP_2), (Speaks::Http1, Version::HTTP_11)] {
        let client = Client::that_speaks(speaks, address);
        let answer = client.chat(MODEL).await.ok();
        assert_eq!((answer.version, answer.pod()), (version, "engine"));
        let answer = client.post("/v1/chat/completions", &[], streamed(MODEL, 5).to_string()).await.ok();
        assert_eq!((answer.version, answer.events().len()), (version, 6), "{}", answer.text());
        client.chat("nobody").await.assert_error(404, "route not found");
    }
}

#[tokio::test]
async fn many_requests_share_one_http2_connection() {
    let client = Client::that_speaks(Speaks::H2c, BODIES.kthena.address());
    client.chat(MODEL).await.ok();
    for answer in futures::future::join_all((0..50).map(|_| client.chat(MODEL))).await {
        assert_eq!(answer.ok().version, Version::HTTP_2);
    }
    let stats = BODIES.kthena.envoy_stats("http.kthena.downstream_cx_http2_active").await;
    assert!(!stats.is_empty() && stats.values().all(|connections| (1..=3).contains(connections)), "{stats:?}");
}
