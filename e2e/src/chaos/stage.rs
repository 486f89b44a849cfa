//! What is broken and what must not notice: simulated engines, and Envoy before them.

use super::simulator::Simulator;
use crate::{Client, FakePicker, Kthena, Plane, Setup, manifests, picker};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;

/// How many engines there are, and how fast.
#[derive(Debug, Clone, Copy)]
pub struct Fleet {
    /// Engines that serve the model.
    pub engines: usize,
    /// Time to the first token, as the simulator's flag.
    pub ttft: &'static str,
    /// Time for each next one.
    pub tpot: &'static str,
    /// How long an engine may take to begin its answer, and an answer in one piece begins when it is whole: the
    /// ModelServer's `trafficPolicy.timeout`.
    pub timeout: &'static str,
}

/// Envoy, and who tells it what to do.
#[derive(Debug)]
pub enum Front {
    /// `kthena up`.
    Up(Kthena),
    /// Envoy alone, with a picker of ours that may lie.
    Lied(Plane, FakePicker),
}

/// All of it; dropping it ends it.
#[derive(Debug)]
pub struct Stage {
    /// They serve the model.
    pub engines: Vec<Simulator>,
    /// It serves another model, of another ModelServer.
    pub foreign: Option<Simulator>,
    /// Before them.
    pub front: Front,
}

/// The model that is asked for.
pub const MODEL: &str = "m";

// === impl Stage ===

impl Stage {
    /// Starts the engines and `kthena up`.
    ///
    /// # Panics
    /// As all here: when they cannot be started.
    pub async fn up(fleet: Fleet) -> Self {
        let engines = fleet.start(MODEL).await;
        let files = [("model.yaml", model(fleet.timeout)), ("pods.yaml", all_pods(&engines))];
        let setup = Setup::new(&files.each_ref().map(|(name, text)| (*name, text.as_str())));
        let kthena = setup.flags(&["--access-log", "off"]);
        // It waits for its child with the thread, which the runtime must not miss.
        let kthena = tokio::task::spawn_blocking(|| kthena.up()).await.expect("it is started");
        Self { engines, foreign: None, front: Front::Up(kthena) }
    }

    /// Starts the engines, Envoy, and a picker that says this to whatever it is asked.
    pub async fn lied_to(fleet: Fleet, answer: picker::Answer) -> Self {
        let engines = fleet.start(MODEL).await;
        let foreign = Fleet { engines: 1, ..fleet }.start("foreign").await.pop();
        let mut all = model(fleet.timeout) + &all_pods(&engines);
        if let Some(foreign) = &foreign {
            all += &manifests::server("foreign", "foreign", "");
            all += &manifests::pod("foreign-0", "foreign", &foreign.ip());
        }
        let plane = Plane::start(&all).await;
        let picker = plane.picker(answer);
        Self { engines, foreign, front: Front::Lied(plane, picker) }
    }

    /// Where clients ask.
    pub fn address(&self) -> SocketAddr {
        match &self.front {
            Front::Up(kthena) => kthena.address(),
            Front::Lied(plane, _) => plane.client().address(),
        }
    }

    /// `kthena up`.
    ///
    /// # Panics
    /// On a stage without it.
    pub fn kthena(&self) -> &Kthena {
        let Front::Up(kthena) = &self.front else { panic!("a stage with kthena up is needed") };
        kthena
    }

    /// Requests that were served by another endpoint than the one that was tried first, as Envoy counts them. 0 while
    /// Envoy is away.
    pub async fn retried(&self) -> u64 {
        let name = "cluster.engines.upstream_rq_retry_success";
        stats(&self.admin(), "upstream_rq_retry_success").await.get(name).copied().unwrap_or_default()
    }

    fn admin(&self) -> Client {
        match &self.front {
            Front::Up(kthena) => kthena.admin(),
            Front::Lied(plane, _) => plane.admin(),
        }
    }
}

/// Envoy's counters whose names hold this text.
async fn stats(admin: &Client, filter: &str) -> BTreeMap<String, u64> {
    let Ok(page) = admin.try_get(&format!("/stats?filter={filter}")).await else { return BTreeMap::new() };
    let lines = page.text().lines().filter_map(|line| line.rsplit_once(": "));
    lines.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect()
}

/// The route, and the ModelServer with this timeout.
pub fn model(timeout: &str) -> String {
    let policy = format!("  trafficPolicy:\n    timeout: {timeout}\n");
    manifests::route(MODEL, MODEL, &[(MODEL, 100)]) + &manifests::server(MODEL, MODEL, &policy)
}

/// A Pod for each of these engines.
pub fn pods<'a>(engines: impl IntoIterator<Item = (usize, &'a Simulator)>) -> String {
    engines.into_iter().fold(String::new(), |mut text, (index, engine)| {
        let _ = write!(text, "{}", manifests::pod(&format!("{MODEL}-{index}"), MODEL, &engine.ip()));
        text
    })
}

fn all_pods(engines: &[Simulator]) -> String {
    pods(engines.iter().enumerate())
}

/// The memory that a process has, in MiB; `None` once it is gone.
pub fn memory(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok()? / 1024.0)
}

// === impl Fleet ===

impl Fleet {
    async fn start(self, model: &str) -> Vec<Simulator> {
        let flags = [
            format!("--model={model}"),
            format!("--ttft={}", self.ttft),
            format!("--tpot={}", self.tpot),
            "--max-num-seqs=4096".to_owned(),
        ];
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let mut engines = Vec::new();
        for index in 0..self.engines {
            engines.push(Simulator::start(&format!("{model}-{index}"), &flags).await);
        }
        engines
    }
}
