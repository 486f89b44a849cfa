//! More than there is room for: headers, connections, memory. Who is refused is told so in the clients' shape.

use kthena_e2e::{Client, Engine, Plane, Setup, chat, manifests, until};
use kthena_envoy::{Capacity, Settings};
use kthena_simulator::Options;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CHAT: &str = "/v1/chat/completions";

const PLENTY: Capacity = Capacity { heap: 4 << 30, connections: 10_000 };

async fn bounded(capacity: Capacity) -> (Plane, Engine) {
    let engine = Engine::simulated("engine", Options { models: vec!["m".into()], speed: 100.0, ..Options::default() });
    let all = manifests::route("m", "m", &[("m", 100)])
        + &manifests::server("m", "m", "")
        + &manifests::pod("m-0", "m", &engine.ip());
    (Plane::bounded(&all, capacity, Settings::default()).await, engine)
}

/// One of Envoy's counters or gauges, by the end of its name; 0 where it has none.
async fn stat(plane: &Plane, name: &str) -> u64 {
    let page = plane.admin().get("/stats").await;
    let values = page.text().lines().filter_map(|line| line.rsplit_once(": "));
    values.filter(|(known, _)| known.ends_with(name)).filter_map(|(_, value)| value.parse::<u64>().ok()).sum()
}

/// A chat whose prompt has as long a hash chain as there is.
fn long_chat() -> String {
    let mut body = chat("m");
    body["messages"][0]["content"] = "where does all of this go? ".repeat(15_000).into();
    body.to_string()
}

/// All that comes on top of a client's headers is there: the filter's, a long prompt's hash chain, the picker's answer.
#[tokio::test]
async fn headers_at_the_bounds_are_served_with_the_longest_prompt_and_beyond_them_get_431() {
    let engine = Engine::simulated("m-0", Options { models: vec!["m".into()], speed: 100.0, ..Options::default() });
    let all = manifests::route("m", "m", &[("m", 100)])
        + &manifests::server("m", "m", "")
        + &manifests::pod("m-0", "m", &engine.ip());
    let kthena = Setup::new(&[("all.yaml", &all)]).up();
    let client = kthena.client();
    until("the engine to be served", async || (client.chat("m").await.status == 200).then_some(())).await;
    let picked = async || {
        let page = kthena.metrics().get("/metrics").await;
        let lines = page
            .text()
            .lines()
            .filter(|line| line.starts_with("kthena_router_scheduler_plugin_duration_seconds_count"));
        lines.count()
    };
    assert!(picked().await > 0, "the picker is there");
    // Beside these the client sends `content-type` and `content-length`, and `host`, which is no header to Envoy.
    let names: Vec<String> = (0..200).map(|at| format!("x-header-{at}")).collect();
    let many = async |count: usize| {
        let headers: Vec<_> = names.iter().take(count - 2).map(|name| (name.as_str(), "1")).collect();
        client.post(CHAT, &headers, long_chat()).await
    };
    let large = async |bytes: usize| client.post(CHAT, &[("x-large", &"x".repeat(bytes))], long_chat()).await;
    let ours = "request headers are too large or too many (at most 100 headers and 61440 bytes)";
    for count in [78, 96, 100] {
        many(count).await.ok();
    }
    for count in [101, 125] {
        many(count).await.assert_error(431, ours);
    }
    for bytes in [58 << 10, (60 << 10) - 400] {
        large(bytes).await.ok();
    }
    for bytes in [60 << 10, 69 << 10] {
        let answer = large(bytes).await;
        answer.assert_error(431, ours);
        assert_eq!(answer.json()["error"]["code"], "request_headers_too_large");
    }
    // Envoy's own, which keeps it from holding more.
    let answer = large(75 << 10).await;
    answer.assert_error(431, "request headers are too large or too many (http1.headers_too_large)");
    assert_eq!(answer.json()["error"]["code"], "request_headers_too_large");
    let answer = many(200).await;
    answer.assert_error(431, "request headers are too large or too many (http1.too_many_headers)");
    let counted = r#"kthena_router_bound_exceeded_total{reason="headers"} "#;
    until("the refusals to be counted", async || {
        let page = kthena.metrics().try_get("/metrics").await.ok()?;
        page.text().lines().any(|line| line.strip_prefix(counted) == Some("6")).then_some(())
    })
    .await;
}

/// Whether a new connection is closed by Envoy before anything is asked.
async fn closed_at_once(address: SocketAddr) -> bool {
    let mut connection = TcpStream::connect(address).await.expect("it is accepted by the kernel");
    let head = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    match connection.write_all(head).await {
        Ok(()) => !matches!(connection.read(&mut [0; 1]).await, Ok(1)),
        Err(_) => true,
    }
}

#[tokio::test]
async fn connections_beyond_the_bound_are_closed_and_counted_and_there_is_room_again_when_one_ends() {
    let (plane, _engine) = bounded(Capacity { connections: 4, ..PLENTY }).await;
    let address = plane.client().address();
    let mut idle = Vec::new();
    until("the bound to be reached", async || {
        let mut connection = TcpStream::connect(address).await.ok()?;
        connection.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.ok()?;
        match connection.read(&mut [0; 1024]).await {
            Ok(1..) => idle.push(connection),
            _ => return Some(()),
        }
        None
    })
    .await;
    assert!(idle.len() <= 4, "{}", idle.len());
    assert!(closed_at_once(address).await);
    assert!(stat(&plane, "downstream_global_cx_overflow").await >= 2, "the admin's page is served and says it");
    idle.pop();
    until("room for another", async || (!closed_at_once(address).await).then_some(())).await;
}

/// A connection on which all of a body but its end was sent.
async fn unfinished(client: &Client, bytes: usize) -> TcpStream {
    let mut connection = TcpStream::connect(client.address()).await.expect("a connection");
    let head = format!("POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", bytes + 1);
    let body = [head.as_bytes(), br#"{"model":"m","user":""#, &vec![b'x'; bytes - 21]].concat();
    // It may be refused, or reset, on the way.
    let _ = connection.write_all(&body).await;
    connection
}

#[tokio::test]
async fn bodies_that_never_end_take_no_more_memory_than_there_is_and_who_is_new_is_told_to_come_again() {
    const HEAP: u64 = 96 << 20;
    let (plane, _engine) = bounded(Capacity { heap: HEAP, ..PLENTY }).await;
    let client = plane.client();
    client.chat("m").await.ok();
    let mut held = Vec::new();
    let refused = async |held: &mut Vec<TcpStream>, path: &str| {
        until("new requests to be refused", async || {
            held.push(unfinished(&client, 8 << 20).await);
            let answer = client.try_post(path, &[], chat("m").to_string()).await.ok()?;
            (answer.status == 503).then_some(answer)
        })
        .await
    };
    let answer = refused(&mut held, CHAT).await;
    answer.assert_error(503, "the router is overloaded, try again later");
    assert_eq!(answer.json()["error"]["code"], "overloaded");
    assert_eq!(answer.header("retry-after"), "5");
    let answer = refused(&mut held, "/v1/messages").await;
    answer.assert_error(503, "the router is overloaded, try again later");
    assert_eq!((answer.json()["type"].as_str(), answer.header("retry-after")), (Some("error"), "5"));
    assert!(stat(&plane, "downstream_rq_overload_close").await >= 2, "the admin's page is served and says it");
    let allocated = stat(&plane, "server.memory_allocated").await;
    assert!(allocated < 2 * HEAP, "{allocated}");
    drop(held);
    until("requests to be served again", async || {
        client.try_chat("m").await.is_ok_and(|answer| answer.status == 200).then_some(())
    })
    .await;
}
