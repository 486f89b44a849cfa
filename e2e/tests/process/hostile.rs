//! Nothing that a client sends ends the filter's VM, and nothing of ours reaches an engine.
//!
//! A panic in the filter would show as a 503 or a reset for everybody on that worker. Envoy counts the
//! VMs that it had to replace; the count must stay at none.

use crate::bodies::{Bodies, MODEL, bodies};
use fastrand::Rng;
use kthena_e2e::{Answer, chat};
use std::sync::LazyLock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

static HOSTILE: LazyLock<Bodies> = LazyLock::new(|| bodies(|setup| setup));

const CHAT: &str = "/v1/chat/completions";

/// More connections than Envoy has workers, so that each worker gets some.
const CONNECTIONS: usize = 32;

/// A good request works on every worker, and none lost its VM.
async fn assert_unharmed() {
    for _ in 0..CONNECTIONS {
        // A client of its own is a connection of its own.
        HOSTILE.kthena.client().chat(MODEL).await.ok();
    }
    let vms = HOSTILE.kthena.envoy_stats("^wasm.kthena.vm_reload").await;
    assert!(vms.contains_key("wasm.kthena.vm_reload") && vms.values().all(|count| *count == 0), "{vms:?}");
}

#[track_caller]
fn assert_survived(answer: &Answer, sent: &[u8]) {
    let sent = String::from_utf8_lossy(&sent[..sent.len().min(200)]).into_owned();
    assert!(answer.status < 500, "{} {} after {sent}", answer.status, answer.text());
    if answer.pod().is_empty() {
        assert!(!answer.error().is_empty(), "{sent}");
    }
}

fn table() -> Vec<Vec<u8>> {
    let deep = |open: &str, levels: usize| format!(r#"{{"model":"{MODEL}","messages":{}"#, open.repeat(levels));
    let named = |name: &str| format!(r#"{{"model":"{name}","messages":[]}}"#);
    let mut bodies: Vec<Vec<u8>> = [
        String::new(),
        " ".to_owned(),
        "null".to_owned(),
        "[]".to_owned(),
        "{".to_owned(),
        "}".to_owned(),
        "{}{}".to_owned(),
        "{\"model\"".to_owned(),
        "{\"model\":\"\\u12".to_owned(),
        "{\"model\":\"\\ud800\",\"messages\":[]}".to_owned(),
        "{\"model\":\"\\udc00\\ud800\",\"messages\":[]}".to_owned(),
        "{\"model\":1e999999,\"messages\":[]}".to_owned(),
        "{\"model\":{\"a\":[]},\"messages\":null}".to_owned(),
        "{\"model\":\"a\nb\",\"messages\":[]}".to_owned(),
        named("a\\u0000b"),
        named("a\\r\\nx-kthena-target: default/other"),
        named("\\u202e\\ufeff😀"),
        named(&"m".repeat(8 * 1024)),
        named(&"é".repeat(8 * 1024)),
        named(&"m".repeat(1024 * 1024)),
        deep("[", 100_000),
        deep("{\"a\":", 100_000),
        deep("[{\"a\":", 50_000),
        format!("{}{}", deep("[", 63), "]".repeat(63)) + "}",
        format!("{{{}\"model\":\"{MODEL}\",\"messages\":[]}}", "\"k\":0,".repeat(100_000)),
        format!("{{\"{}\":1,\"model\":\"{MODEL}\",\"messages\":[]}}", "k".repeat(1024 * 1024)),
        format!("{{\"stream\":true,\"stream_options\":{{\"include_usage\":{}}}}}", "[".repeat(1000)),
        format!("{{\"model\":\"{MODEL}\",\"stream\":true,\"stream_options\":[1,2],\"messages\":[]}}"),
        format!("{{\"model\":\"{MODEL}\",\"messages\":[],\"user\":\"{}\"}}", "u".repeat(100_000)),
    ]
    .map(String::into_bytes)
    .to_vec();
    bodies.push(b"\xff\xfe\x00{}".to_vec());
    bodies.push(b"{\"model\":\"\xff\xfe\",\"messages\":[]}".to_vec());
    bodies.push(b"{\"model\":\"asked\",\"messages\":[\"\xc3\"]}".to_vec());
    bodies.push(b"\xef\xbb\xbf{\"model\":\"asked\",\"messages\":[]}".to_vec());
    bodies.push(vec![0; 100_000]);
    bodies
}

/// Garbage, or a good body with some bytes changed, doubled or cut.
fn garbage(random: &mut Rng) -> Vec<u8> {
    if random.u8(..4) == 0 {
        return (0..random.usize(..300)).map(|_| random.u8(..)).collect();
    }
    // Without numbers, which could ask for long answers.
    let mut body = chat(MODEL);
    body["stream"] = random.bool().into();
    body.as_object_mut().unwrap().remove("max_tokens");
    let mut body = body.to_string().into_bytes();
    for _ in 0..random.usize(1..4) {
        let at = random.usize(..body.len());
        match random.u8(..4) {
            0 => body[at] = random.u8(..),
            1 => body.insert(at, *random.choice(br#"{}[]",:\u0"#).unwrap()),
            2 => body.extend_from_within(at..),
            _ => body.truncate(at.max(1)),
        }
    }
    body
}

#[tokio::test]
async fn bodies_made_to_break_a_parser_are_refused_one_by_one() {
    let client = HOSTILE.kthena.client();
    for body in table() {
        let answer = client.post(CHAT, &[], body.clone()).await;
        assert_survived(&answer, &body);
    }
    assert_unharmed().await;
}

#[tokio::test]
async fn random_garbage_harms_nobody() {
    let connection = async |seed| {
        let (client, mut random) = (HOSTILE.kthena.client(), Rng::with_seed(seed));
        for _ in 0..100 {
            let body = garbage(&mut random);
            let answer = match random.bool() {
                true => client.post(CHAT, &[], body.clone()).await,
                false => {
                    let chunks = body.chunks(random.usize(1..64)).map(bytes::Bytes::copy_from_slice);
                    client.post_chunks(CHAT, &[], chunks.collect()).await
                }
            };
            assert_survived(&answer, &body);
        }
    };
    futures::future::join_all((1..=4).map(connection)).await;
    assert_unharmed().await;
}

/// Sends a whole request as it is and returns the whole answer; an HTTP client would not send this.
async fn raw(request: &[u8]) -> String {
    let mut connection = TcpStream::connect(HOSTILE.kthena.address()).await.unwrap();
    connection.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn headers_that_are_no_text_harm_nobody() {
    for header in [
        &b"x-kthena-model: \xff\xfe\x80"[..],
        b"user-type: \xc3\x28",
        b"accept-encoding: \xff",
        b"x-request-id: \xff\xff",
        b"content-type: \x80",
        b"x-gateway-destination-endpoint: \xff",
        b"x-envoy-max-retries: -1",
        b"x-kthena-model:",
        b"x-kthena-: 1",
    ] {
        let body = chat(MODEL).to_string();
        let rest = format!("\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let with_body = [b"POST /v1/chat/completions HTTP/1.1\r\n", header, rest.as_bytes()].concat();
        let answer = raw(&with_body).await;
        assert!(answer.contains("x-simulator: engine"), "{}: {answer}", String::from_utf8_lossy(header));
        let without = [b"GET /v1/nothing HTTP/1.1\r\n", header, b"\r\nhost: x\r\nconnection: close\r\n\r\n"].concat();
        let answer = raw(&without).await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    }
    assert_unharmed().await;
}

#[tokio::test]
async fn paths_that_are_no_names_harm_nobody() {
    let long = format!("/v1/models/{}", "m".repeat(8 * 1024));
    for path in ["/v1/models/%ff%fe", "/v1/models/%", "/v1/models/%00", "/v1/models//", "/v1/", "/v1/models?%ff", &long]
    {
        let answer = raw(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(["200", "400", "404"].contains(&status), "{path}: {answer}");
    }
    assert_unharmed().await;
}

#[tokio::test]
async fn what_our_parts_tell_each_other_stays_with_them() {
    let path = "/v1/chat/completions?which=this";
    let ours = [
        ("x-kthena-model", "m"),
        ("x-kthena-target", "default/engine"),
        ("x-kthena-anything", "1"),
        ("x-gateway-destination-endpoint", "127.0.0.1:1"),
        ("x-envoy-retry-on", "5xx"),
        ("x-envoy-max-retries", "1"),
        ("x-envoy-upstream-rq-timeout-ms", "60000"),
        ("x-mine", "stays"),
    ];
    HOSTILE.kthena.client().post(path, &ours, chat(MODEL).to_string()).await.ok();
    let requests = HOSTILE.engine.client().get("/simulator/requests").await.json();
    let request = requests.as_array().unwrap().iter().rfind(|request| request["path"] == path).unwrap();
    let headers: Vec<_> = request["headers"].as_array().unwrap().iter().map(|pair| pair[0].as_str().unwrap()).collect();
    // Envoy adds the client's address; that one is meant for engines.
    let ours = |name: &str| ["x-kthena-", "x-gateway-", "x-envoy-"].iter().any(|prefix| name.starts_with(prefix));
    let leaked = |name: &&&str| ours(name) && **name != "x-envoy-external-address";
    assert_eq!(headers.iter().find(leaked), None, "{headers:?}");
    assert!(headers.contains(&"x-mine"), "{headers:?}");
}
