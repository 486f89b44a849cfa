//! The access log: a line for each request, however it ended, that says who really served it.

use kthena_e2e::{Answer, Client, Engine, Kthena, Loopback, Setup, chat, manifests, streamed, until};
use kthena_simulator::Options;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CHAT: &str = "/v1/chat/completions";

fn setup() -> Setup {
    let manifests = manifests::route("m", "m", &[("m", 100)])
        + &manifests::server("m", "served", "")
        + &manifests::route("split", "split", &[("old", 70), ("new", 30)])
        + &manifests::server("old", "served", "")
        + &manifests::server("new", "served", "");
    Setup::simulated(&[("all.yaml", &manifests)])
}

static LOG: LazyLock<Kthena> = LazyLock::new(|| setup().up());

/// Waits for the line of the request with that id.
async fn line(kthena: &Kthena, id: &str) -> String {
    let wanted = format!(" request_id={id} ");
    until(&format!("the line of {id}"), async || kthena.output.find(0, |line| line.contains(&wanted))).await
}

/// The value of a key, empty where there is none.
fn value<'l>(line: &'l str, key: &str) -> &'l str {
    let key = format!(" {key}=");
    let rest = line.split_once(&key).map(|(_, rest)| rest).unwrap_or_default();
    rest.split(' ').next().unwrap_or_default()
}

async fn ask(client: &Client, id: &str, body: &Value) -> Answer {
    client.post(CHAT, &[("x-request-id", id)], body.to_string()).await
}

#[tokio::test]
async fn a_request_leaves_a_line_with_its_way_its_tokens_and_its_times() {
    let client = LOG.client();
    let whole = ask(&client, "whole", &chat("m")).await.ok();
    let stream = ask(&client, "stream", &streamed("m", 7)).await.ok();
    for (id, answer, tokens) in [("whole", whole, "/4"), ("stream", stream, "/7")] {
        let line = line(&LOG, id).await;
        let pod = answer.pod().trim_start_matches("default/");
        assert!(
            line.starts_with("[20") && line.contains("Z] \"POST /v1/chat/completions HTTP/1.1\" 200 model_name=m ")
        );
        for (key, expected) in [
            ("model_route", "default/m"),
            ("model_server", "default/m"),
            ("selected_pod", pod),
            ("backend_type", "model_server"),
            ("backend_name", "default/m"),
            ("upstream_model", "served"),
            ("upstream_status_code", "200"),
            ("upstream_attempts", "1"),
            ("error", ""),
        ] {
            assert_eq!(value(&line, key), expected, "{key} in {line}");
        }
        assert!(value(&line, "tokens").ends_with(tokens) && !value(&line, "tokens").starts_with("0/"), "{line}");
        let timings = value(&line, "timings").trim_end_matches(')').replace("ms(", "+");
        let times: Vec<u64> = timings.split('+').map(|time| time.parse().expect("milliseconds")).collect();
        let parts: u64 = times[1..].iter().sum();
        // Each part is rounded down.
        assert!(times.len() == 4 && (parts..parts + 4).contains(&times[0]), "{line}");
    }
}

#[tokio::test]
async fn the_pod_in_the_line_is_the_one_that_served_after_others_failed() {
    let options = Options { models: vec!["m".into()], speed: 100.0, ..Options::default() };
    let engine = Engine::simulated("alive", options);
    let [dead, nowhere] = [(); 2].map(|()| Loopback::claim(&[8000]));
    let manifests = manifests::route("m", "m", &[("m", 100)])
        + &manifests::server("m", "m", "")
        + &manifests::pod("alive", "m", &engine.ip())
        + &manifests::pod("dead", "m", &dead.ip().to_string())
        + &manifests::route("lost", "lost", &[("lost", 100)])
        + &manifests::server("lost", "lost", "")
        + &manifests::pod("nowhere", "lost", &nowhere.ip().to_string());
    let kthena = Setup::new(&[("all.yaml", &manifests)]).by_load().up();
    let client = kthena.client();
    let mut attempts: BTreeMap<String, u32> = BTreeMap::new();
    for request in 0..20 {
        let id = format!("failover-{request}");
        ask(&client, &id, &chat("m")).await.ok();
        let line = line(&kthena, &id).await;
        assert_eq!((value(&line, "selected_pod"), value(&line, "error")), ("alive", ""), "{line}");
        *attempts.entry(value(&line, "upstream_attempts").to_owned()).or_default() += 1;
    }
    assert!(attempts.keys().eq(["1", "2"]), "{attempts:?}");
    ask(&client, "all-failed", &chat("lost")).await.assert_error(503, "request to all pods failed");
    let line = line(&kthena, "all-failed").await;
    assert!(line.contains("\" 503 error=proxy:request to all pods failed"), "{line}");
    let seen = ["selected_pod", "upstream_status_code", "model_route"].map(|key| value(&line, key));
    assert_eq!(seen, ["nowhere", "", "default/lost"], "{line}");
}

#[tokio::test]
async fn requests_that_the_filter_refuses_are_logged_with_its_reason() {
    let client = LOG.client();
    for (id, body, expected) in [
        (
            "no-route",
            json!({"model": "nobody", "messages": []}).to_string(),
            "404 error=route_not_found:route not found model_name=nobody ",
        ),
        ("no-json", "{".to_owned(), "400 error=request_parsing:invalid request body: "),
        ("no-model", "{}".to_owned(), "404 error=request_parsing:model not found request_id="),
        ("no-prompt", json!({"model": "m"}).to_string(), "404 error=prompt_parsing:prompt not found model_name=m "),
    ] {
        client.post(CHAT, &[("x-request-id", id)], body).await;
        let line = line(&LOG, id).await;
        assert!(line.contains(&format!("\" {expected}")), "{line}");
        assert_eq!([value(&line, "selected_pod"), value(&line, "upstream_attempts")], ["", ""], "{line}");
    }
    client.get_with("/v1/models", &[("x-request-id", "models")]).await.ok();
    assert!(line(&LOG, "models").await.contains("\"GET /v1/models HTTP/1.1\" 200 request_id=models timings="));
}

#[tokio::test]
async fn only_inference_requests_are_logged() {
    let client = LOG.client();
    for path in ["/healthz?x", "/healthz", "/readyz", "/elsewhere"] {
        client.get_with(path, &[("x-request-id", "not-logged")]).await;
    }
    // On connections to every worker, so that what was to come before would have.
    for request in 0..8 {
        let id = format!("after-{request}");
        ask(&LOG.client(), &id, &chat("m")).await.ok();
        line(&LOG, &id).await;
    }
    assert_eq!(LOG.output.find(0, |line| line.contains("not-logged")), None);
}

#[tokio::test]
async fn a_client_that_goes_away_and_an_engine_that_dies_are_told_apart() {
    let kthena = setup().pace("1ms", "20ms").up();
    let client = kthena.client();
    let opened = async || {
        let mut stream = client.stream(CHAT, &streamed("m", 100_000)).await.expect("a stream opens");
        stream.event().await.expect("an event").expect("not the end");
        let id = stream.headers.get("x-request-id").expect("an id").to_str().expect("ASCII").to_owned();
        (stream, id)
    };
    let (stream, gone) = opened().await;
    drop(stream);
    let line_of_gone = line(&kthena, &gone).await;
    assert!(
        line_of_gone.contains("\" 200 error=response_forwarding:the client went away model_name=m "),
        "{line_of_gone}"
    );
    let (stream, cut) = opened().await;
    for pod in ["default/m-sim-0", "default/m-sim-1"] {
        kthena.signal(kthena.child(&format!("simulator {pod}")), Signal::KILL);
    }
    stream.words().await.expect_err("it breaks off with its engine");
    let line = line(&kthena, &cut).await;
    assert!(line.contains("\" 200 error=proxy:pod broke off its answer model_name=m "), "{line}");
    assert_ne!(value(&line, "selected_pod"), "", "{line}");
}

#[tokio::test]
async fn no_client_forges_a_line_or_takes_the_lines_of_others() {
    let client = LOG.client();
    for (id, model) in [
        ("forged-1", "x selected_pod=forged"),
        ("forged-2", "x\n[2026-01-01T00:00:00Z] \"GET / HTTP/1.1\" 200 selected_pod=forged"),
        ("forged-3", "x\r\u{1b}[2J\u{2028}selected_pod=forged"),
    ] {
        ask(&client, id, &chat(model)).await.assert_error(404, "route not found");
        let line = line(&LOG, id).await;
        assert!(line.contains("\" 404 error=route_not_found:"), "{line}");
    }
    let long = "m".repeat(1 << 20);
    ask(&client, "long", &chat(&long)).await;
    assert!(line(&LOG, "long").await.len() < 4096);
    // Ids and hosts that are no text, beside others' requests in the same batch.
    for round in 0..10 {
        let body = chat("m").to_string();
        for id in [&b"a\xff"[..], b"a b=c"] {
            let length = format!("\r\ncontent-length: {}\r\n\r\n", body.len());
            let head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: h\r\nconnection: close\r\nx-request-id: ";
            let request = [head, id, length.as_bytes(), body.as_bytes()].concat();
            let mut connection = TcpStream::connect(LOG.address()).await.expect("a connection");
            connection.write_all(&request).await.expect("it is sent");
            connection.read_to_end(&mut Vec::new()).await.expect("an answer");
        }
        ask(&client, &format!("beside-{round}"), &chat("m")).await.ok();
    }
    for round in 0..10 {
        line(&LOG, &format!("beside-{round}")).await;
    }
    let forged = LOG.output.find(0, |line| line.contains("selected_pod=forged"));
    assert_eq!(forged, None);
}

#[tokio::test]
async fn lines_counted_by_pod_are_the_requests_of_a_split() {
    let client = LOG.client();
    let mut served: BTreeMap<String, u32> = BTreeMap::new();
    for request in 0..100 {
        let id = format!("split-{request}");
        let answer = ask(&client, &id, &chat("split")).await.ok();
        *served.entry(answer.pod().trim_start_matches("default/").to_owned()).or_default() += 1;
    }
    let logged = until("a line for each request", async || {
        let mut logged: BTreeMap<String, u32> = BTreeMap::new();
        for line in LOG.output.lines().iter().filter(|line| value(line, "request_id").starts_with("split-")) {
            *logged.entry(value(line, "selected_pod").to_owned()).or_default() += 1;
        }
        (logged.values().sum::<u32>() == 100).then_some(logged)
    })
    .await;
    assert_eq!(logged, served);
    assert!(logged.keys().any(|pod| pod.starts_with("old-")) && logged.keys().any(|pod| pod.starts_with("new-")));
}

fn read(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    // The last line may be on its way.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

async fn in_file(path: &Path, id: &str) -> Value {
    until(&format!("{id} in {}", path.display()), async || read(path).into_iter().find(|line| line["request_id"] == id))
        .await
}

#[tokio::test]
async fn json_in_a_file_survives_its_rotation_and_the_router_s_death() {
    let directory = kthena_e2e::directory();
    let path = directory.path().join("access.log");
    let file = path.display().to_string();
    let kthena = setup().env("ACCESS_LOG_FORMAT", "json").env("ACCESS_LOG_OUTPUT", &file).up();
    let client = kthena.client();
    ask(&client, "first", &chat("m")).await.ok();
    let first = in_file(&path, "first").await;
    assert_eq!(
        (&first["status_code"], &first["output_tokens"], &first["model_server"]),
        (&json!(200), &json!(4), &json!("default/m"))
    );
    assert!(first["duration_total"].is_u64() && first["error"].is_null(), "{first}");
    ask(&client, "quoted", &chat("\"}\n{\"selected_pod\":\"x\u{0}")).await;
    assert_eq!(in_file(&path, "quoted").await["error"]["type"], "route_not_found");

    let rotated = directory.path().join("access.log.1");
    fs::rename(&path, &rotated).expect("a file to rename");
    ask(&client, "second", &chat("m")).await.ok();
    in_file(&path, "second").await;
    assert_eq!(read(&rotated).len(), 2);

    let router = kthena.child("router");
    kthena.signal(router, Signal::KILL);
    for answer in futures::future::join_all((0..20).map(|_| client.try_chat("m"))).await {
        answer.expect("an answer while nobody takes the log").ok();
    }
    until("another router", async || (kthena.child("router") != router).then_some(())).await;
    // Lines of requests that end while the router is away may be lost; those after its return are not.
    until("the log to go on", async || {
        ask(&client, "again", &chat("m")).await.ok();
        read(&path).iter().any(|line| line["request_id"] == "again").then_some(())
    })
    .await;
    ask(&client, "last", &chat("m")).await.ok();
    kthena.signal(kthena.pid(), Signal::INT);
    kthena.ended().await;
    assert!(read(&path).iter().any(|line| line["request_id"] == "last"), "the last line is written before the end");
}

#[tokio::test]
async fn a_value_that_is_not_accepted_is_named_and_the_log_can_be_turned_off() {
    let kthena = setup().env("ACCESS_LOG_FORMAT", "xml").flags(&["--access-log", "off"]).up();
    let warning = "ACCESS_LOG_FORMAT: \"xml\" is not accepted, expected text or json; it counts as text";
    kthena.line(0, "a warning", |line| line.contains(warning)).await;
    ask(&kthena.client(), "unlogged", &chat("m")).await.ok();
    kthena.signal(kthena.pid(), Signal::INT);
    kthena.ended().await;
    assert_eq!(kthena.output.find(0, |line| line.contains("unlogged")), None);
}
