//! What clients that are there cost in memory: idle connections, and streams that go on.
//!
//! `cargo bench -p kthena-e2e --bench connections [-- IDLE [STREAMS]]`, or `cargo bench --profile dev` on what
//! `make debug` built: Envoy is the same. Both sides of a stream are this process, so `ulimit -n` must allow
//! IDLE + 2 STREAMS files here, and as many in Envoy.

use anyhow::Context;
use kthena_e2e::{Kthena, Loopback, Setup, manifests};
use procfs::process::Process;
use std::env;
use std::future::pending;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Connections that are opened at a time.
const AT_A_TIME: usize = 100;

const PING: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";

fn main() -> anyhow::Result<()> {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let number = |at: usize, default: usize| arguments.get(at).map_or(Ok(default), |text| text.parse());
    let (idle, streams) = (number(0, 10_000)?, number(1, 2_000)?);
    tokio::runtime::Runtime::new()?.block_on(measure(idle, streams))
}

async fn measure(idle: usize, streams: usize) -> anyhow::Result<()> {
    let address = Loopback::claim(&[8000]);
    let listener = TcpListener::bind(address.at(8000)).await?;
    tokio::spawn(engine(listener));
    let all = manifests::route("m", "m", &[("m", 100)])
        + &manifests::server("m", "m", "")
        + &manifests::pod("m-0", "m", &address.ip().to_string());
    let most = (idle + streams + 1000).to_string();
    let kthena = Setup::new(&[("all.yaml", &all)]).flags(&["--max-connections", &most, "--access-log", "off"]).up();

    // What Envoy and the router take once and for all is taken by then.
    drop(open(&kthena, 200, &stream(), "data: ").await?);
    closed(&kthena).await;
    let before = Memory::of(&kthena)?;
    println!("idle: {before}");
    let held = open(&kthena, idle, PING, "ok").await?;
    Memory::of(&kthena)?.print(&format!("{idle} idle connections"), idle, before);
    drop(held);
    closed(&kthena).await;
    let held = open(&kthena, streams, &stream(), "data: ").await?;
    Memory::of(&kthena)?.print(&format!("{streams} streams"), streams, before);
    drop(held);
    closed(&kthena).await;
    println!("after all: {}", Memory::of(&kthena)?);
    Ok(())
}

/// Resident memory, in KiB.
#[derive(Debug, Clone, Copy)]
struct Memory {
    envoy: u64,
    router: u64,
}

impl Memory {
    fn of(kthena: &Kthena) -> anyhow::Result<Self> {
        let of = |name: &str| {
            let status = Process::new(kthena.child(name).cast_signed())?.status()?;
            status.vmrss.context("a process with memory")
        };
        Ok(Self { envoy: of("envoy")?, router: of("router")? })
    }

    fn print(self, what: &str, count: usize, before: Self) {
        let each = |now: u64, before: u64| now.saturating_sub(before) as f64 / count.max(1) as f64;
        let (envoy, router) = (each(self.envoy, before.envoy), each(self.router, before.router));
        println!("{what}: {self}; each {envoy:.1} KiB of Envoy, {router:.1} KiB of the router");
    }
}

impl std::fmt::Display for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Envoy {} MiB, router {} MiB", self.envoy >> 10, self.router >> 10)
    }
}

/// A chat of some length: what is kept of a request while it is answered is part of the price.
fn stream() -> String {
    let body =
        format!(r#"{{"model":"m","stream":true,"messages":[{{"role":"user","content":"{}"}}]}}"#, "why? ".repeat(400));
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Connections on which this was asked, and the answer begun.
async fn open(kthena: &Kthena, count: usize, request: &str, begun: &str) -> anyhow::Result<Vec<TcpStream>> {
    let mut held = Vec::with_capacity(count);
    while held.len() < count {
        let some = (held.len()..count).take(AT_A_TIME).map(|_| ask(kthena.address(), request, begun));
        held.extend(futures::future::try_join_all(some).await?);
    }
    Ok(held)
}

async fn ask(address: SocketAddr, request: &str, begun: &str) -> anyhow::Result<TcpStream> {
    let mut connection = TcpStream::connect(address).await?;
    connection.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    while !String::from_utf8_lossy(&answer).contains(begun) {
        anyhow::ensure!(connection.read_buf(&mut answer).await? > 0, "{}", String::from_utf8_lossy(&answer));
    }
    Ok(connection)
}

/// Waits until Envoy has no connection of ours.
async fn closed(kthena: &Kthena) {
    let gone = async || {
        let active = kthena.envoy_stats("^http.kthena.downstream_cx_active$").await;
        active.values().all(|count| *count == 0).then_some(())
    };
    kthena_e2e::until("the connections to close", gone).await;
}

/// Answers a request with the first event of a stream that goes on for ever.
async fn engine(listener: TcpListener) {
    while let Ok((mut connection, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut request = Vec::new();
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                if connection.read_buf(&mut request).await? == 0 {
                    return Ok(());
                }
            }
            if !request.starts_with(b"POST") {
                let nothing = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                return connection.write_all(nothing).await;
            }
            let event = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"so\"}}]}\n\n";
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
            connection.write_all(format!("{head}{:x}\r\n{event}\r\n", event.len()).as_bytes()).await?;
            // Until the other side ends it.
            let mut ended = [0; 4096];
            while connection.read(&mut ended).await? > 0 {}
            std::io::Result::Ok(())
        });
    }
    pending().await
}
