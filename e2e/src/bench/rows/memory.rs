//! What is resident: with a large configuration, under edits, and of clients that are there.

use super::edits::{started, write};
use crate::bench::many::LARGE;
use crate::bench::{Chat, Engines, Line, Machine, Plan, Spread, bodies};
use crate::chaos::memory;
use crate::{Pod, manifests, until};
use anyhow::Context;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval};

const STREAMS: usize = 1000;
/// Their chunks are no part of this.
const SLOWLY: Duration = Duration::from_secs(1);
const TOKENS: u32 = 100_000;
const PROMPT: Chat = Chat { bytes: 2000, count: 10 };

/// Ten a second.
const EDIT: Duration = Duration::from_millis(100);

/// Clients that are there and ask nothing.
const IDLE: usize = 10_000;
const PING: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";

const OK: &str = "HTTP/1.1 200";

/// Connections that are opened at a time.
const AT_A_TIME: usize = 100;

/// Resident, in MiB.
#[derive(Debug, Clone, Copy)]
struct Resident {
    envoy: f64,
    router: f64,
}

pub async fn measure(plan: &Plan) -> anyhow::Result<Vec<Line>> {
    let engines = Engines::start(&plan.program, LARGE.pods, SLOWLY)?;
    let pod = started(&engines, LARGE).await;
    let before = Machine::now()?;
    let large = Resident::of(&pod)?;
    // To all pods alike.
    let models = 0..LARGE.pods;
    let requests = models.flat_map(|model| bodies(PROMPT, &format!("model-{model}"), Some(TOKENS)));
    let requests = requests.map(|body| chat(&body)).collect::<Vec<_>>();

    let idle = if plan.quick { IDLE / 10 } else { IDLE };
    let held = open(pod.address(), idle, &[PING.to_owned()], "ok").await?;
    let connections = Resident::of(&pod)?;
    drop(held);
    closed(&pod).await;
    let unused = Resident::of(&pod)?;

    let held = open(pod.address(), STREAMS, &requests, "data: ").await?;
    let streams = Resident::of(&pod)?;
    let edits = if plan.quick { 100 } else { 600 };
    let edited = edited(&pod, edits).await?;
    drop(held);
    closed(&pod).await;
    let company = Machine::now()?.others_since(&before);
    let line = |name: String, of: Resident, note: String| Line {
        name,
        unit: "MiB",
        ours: Spread::of([of.envoy + of.router]),
        note: format!("Envoy {:.0}, router {:.0}{note}", of.envoy, of.router),
        company,
        ..Line::default()
    };
    let each = |more: Resident, than: Resident, count: usize| {
        let each = |more: f64, than: f64| (more - than).max(0.0) * 1024.0 / count as f64;
        let (envoy, router) = (each(more.envoy, than.envoy), each(more.router, than.router));
        format!("; each {envoy:.1} KiB of Envoy, {router:.1} KiB of the router")
    };
    let (routes, pods) = (LARGE.routes, LARGE.pods);
    Ok(vec![
        line(format!("memory at {routes} routes and {pods} pods"), large, String::new()),
        line(format!("and {idle} idle connections"), connections, each(connections, large, idle)),
        line(format!("or {STREAMS} open streams"), streams, each(streams, unused, STREAMS)),
        line(format!("and then {edits} edits, ten a second: the most"), edited, String::new()),
    ])
}

/// The most that is resident under so many edits.
async fn edited(pod: &Pod, edits: usize) -> anyhow::Result<Resident> {
    let mut most = Resident::of(pod)?;
    let mut turn = interval(EDIT);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for edit in 0..edits {
        turn.tick().await;
        write(pod, &manifests::route("edited", &format!("edited-{edit}"), &[("server-0", 100)]))?;
        let now = Resident::of(pod)?;
        most = Resident { envoy: most.envoy.max(now.envoy), router: most.router.max(now.router) };
    }
    Ok(most)
}

// === impl Resident ===

impl Resident {
    fn of(pod: &Pod) -> anyhow::Result<Self> {
        let envoy = memory(pod.envoy()).context("Envoy has ended")?;
        Ok(Self { envoy, router: memory(pod.router()).context("the router has ended")? })
    }
}

fn chat(body: &str) -> String {
    let length = body.len();
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// Connections on each of which one of these was asked, and the answer begun.
async fn open(address: SocketAddr, count: usize, requests: &[String], begun: &str) -> anyhow::Result<Vec<TcpStream>> {
    let mut held = Vec::with_capacity(count);
    let mut requests = requests.iter().cycle();
    while held.len() < count {
        let some = (held.len()..count).take(AT_A_TIME).zip(requests.by_ref());
        let some = some.map(|(_, request)| ask(address, request, begun));
        held.extend(futures::future::try_join_all(some).await.context("see `ulimit -n`")?);
    }
    Ok(held)
}

async fn ask(address: SocketAddr, request: &str, begun: &str) -> anyhow::Result<TcpStream> {
    let mut connection = TcpStream::connect(address).await?;
    connection.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    loop {
        let read = connection.read_buf(&mut answer).await?;
        let said = String::from_utf8_lossy(&answer);
        let refused = said.len() >= OK.len() && !said.starts_with(OK);
        anyhow::ensure!(read > 0 && !refused, "refused: {said}");
        if said.contains(begun) {
            break;
        }
    }
    Ok(connection)
}

/// Waits until Envoy has no connection of ours.
async fn closed(pod: &Pod) {
    let admin = pod.admin();
    until("the connections to close", async || {
        let page = admin.try_get("/stats?filter=%5Ehttp.kthena.downstream_cx_active%24").await.ok()?;
        page.text().trim().ends_with(": 0").then_some(())
    })
    .await;
}
