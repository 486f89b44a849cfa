//! Full, busy, left alone.

use super::{Case, Subject, cases};
use crate::{DEADLINE, Stream};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub(super) const EVERYWHERE: &[Case] = cases![
    requests_run_and_wait_and_leave_with_their_clients,
    a_full_engine_refuses_more,
    a_prefix_is_found_again_in_whole_blocks,
];

pub(super) const DIRECT: &[Case] = cases![an_idle_connection_is_closed];

async fn streams(it: &Subject, count: usize) -> Vec<Stream> {
    let mut streams = Vec::new();
    for _ in 0..count {
        streams.push(it.long_stream().await);
    }
    streams
}

async fn requests_run_and_wait_and_leave_with_their_clients(it: Subject) {
    it.idle().await;
    let slots = it.facts.max_num_seqs;
    let streams = streams(&it, slots + 2).await;
    let page = it
        .metrics_until("all slots taken and two requests waiting", |page| {
            page.gauge("num_requests_running") == slots as f64 && page.gauge("num_requests_waiting") == 2.0
        })
        .await;
    let usage = page.gauge("kv_cache_usage_perc");
    assert!(usage > 0.0 && usage <= 1.0, "a share: {usage}");
    let capacity = [("reason", "capacity")];
    assert_eq!(page.labelled("num_requests_waiting_by_reason", &capacity), 2.0);
    drop(streams);
    let page = it.idle().await;
    assert_eq!(page.gauge("kv_cache_usage_perc"), 0.0);
}

async fn a_full_engine_refuses_more(it: Subject) {
    let rejections =
        |page: &super::Page| page.labelled("admission_rejections_total", &[("reason", "max_num_queued_reqs")]);
    let before = rejections(&it.idle().await);
    let streams = streams(&it, it.facts.max_num_queued_reqs).await;
    let message = "The engine is currently busy and cannot accept new requests. Please try again later or on a \
                   different instance.";
    for more in [json!({}), json!({"stream": true})] {
        let answer = it.chat(more).await;
        Subject::assert_refused(&answer, 503, "Service Unavailable", None, message);
        assert_eq!(answer.header("retry-after"), "");
    }
    drop(streams);
    assert!(rejections(&it.idle().await) >= before + 2.0);
    it.chat(json!({})).await.ok();
}

async fn a_prefix_is_found_again_in_whole_blocks(it: Subject) {
    // Any tokens will do, if nobody asked for them before.
    let ids: Vec<_> = std::iter::repeat_with(|| fastrand::u32(300..1900)).take(3 * it.facts.block_size + 5).collect();
    let ask = async |more: Value| {
        let body = super::subject::with(json!({"prompt": ids, "max_tokens": 1}), more);
        let answer = it.complete(body).await.ok().json();
        answer["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64().expect("cached tokens")
    };
    let hits = |page: &super::Page| page.gauge("prefix_cache_hits_total");
    let before = hits(&it.idle().await);
    assert_eq!(ask(json!({})).await, 0);
    let whole = 3 * it.facts.block_size as u64;
    assert_eq!(ask(json!({})).await, whole);
    assert_eq!(ask(json!({"cache_salt": "tenant-1"})).await, 0, "another salt shares nothing");
    assert_eq!(ask(json!({"cache_salt": "tenant-1"})).await, whole);
    let expected = before + 2.0 * whole as f64;
    it.metrics_until("hits in tokens", |page| hits(page) == expected).await;
}

/// uvicorn waits five seconds for the next request.
async fn an_idle_connection_is_closed(it: Subject) {
    let mut connection = TcpStream::connect(it.engine.address()).await.expect("a connection");
    connection.write_all(b"GET /health HTTP/1.1\r\nhost: it\r\n\r\n").await.expect("it listens");
    let mut answer = Vec::new();
    // To the end: the engine closes, as the client does not.
    let read = timeout(DEADLINE, connection.read_to_end(&mut answer)).await.expect("it is closed in time");
    read.expect("a whole answer, then a clean end");
    let text = String::from_utf8(answer).expect("text");
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && !text.contains("connection: close"), "{text}");
}
