//! The rows of the table.

mod chunks;
mod edits;
mod idle;
mod latency;
mod memory;
mod ready;
mod requests;
mod sustained;

use super::{Engines, Line, Plan, Sides};
use std::time::Duration;

/// What is measured by one run of something; a row may come to several lines.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// By which it is asked for.
    pub name: &'static str,
    /// What is done.
    pub about: &'static str,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Requests(requests::Requests),
    Chunks,
    Latency,
    Sustained,
    Memory,
    Idle,
    Edits,
    Ready,
}

/// All, in the table's order.
pub const ROWS: &[Row] = &[
    Row { name: "small", about: "processor time for a chat of 200 bytes", kind: Kind::Requests(requests::SMALL) },
    Row { name: "medium", about: "processor time for a chat of 20 KB", kind: Kind::Requests(requests::MEDIUM) },
    Row { name: "large", about: "processor time for a chat of 220 KB", kind: Kind::Requests(requests::LARGE) },
    Row { name: "chunk", about: "processor time for a chunk of a stream", kind: Kind::Chunks },
    Row { name: "latency", about: "how long clients wait at a modest rate", kind: Kind::Latency },
    Row { name: "sustained", about: "75 s of load against its first 4 s", kind: Kind::Sustained },
    Row { name: "memory", about: "what is resident: routes, connections, streams, edits", kind: Kind::Memory },
    Row { name: "idle", about: "processor time without requests", kind: Kind::Idle },
    Row { name: "edit", about: "from an edit to a request that sees it", kind: Kind::Edits },
    Row { name: "ready", about: "from the start to a first request served", kind: Kind::Ready },
];

/// Engines of the rows that compare.
const ENGINES: usize = 4;

/// Between two chunks of a stream: fifty tokens a second.
const PACE: Duration = Duration::from_millis(20);

/// What rows share: both sides are started for the first that asks.
#[derive(Debug, Default)]
pub struct Shared(Option<Sides>);

// === impl Row ===

impl Row {
    /// Measures.
    ///
    /// # Errors
    /// Something did not start, or a request failed.
    pub async fn run(&self, plan: &Plan, shared: &mut Shared) -> anyhow::Result<Vec<Line>> {
        match self.kind {
            Kind::Requests(requests) => requests.measure(self.about, plan, shared.sides(plan).await?).await,
            Kind::Chunks => chunks::measure(self.about, plan, shared.sides(plan).await?).await,
            Kind::Latency => latency::measure(plan, shared.sides(plan).await?).await,
            Kind::Sustained => sustained::measure(plan).await,
            Kind::Memory => memory::measure(plan).await,
            Kind::Idle => idle::measure(plan).await,
            Kind::Edits => edits::measure(plan).await,
            Kind::Ready => ready::measure(plan).await,
        }
    }
}

// === impl Shared ===

impl Shared {
    async fn sides(&mut self, plan: &Plan) -> anyhow::Result<&Sides> {
        Ok(match &mut self.0 {
            Some(sides) => sides,
            empty => empty.insert(Sides::start(Engines::start(&plan.program, ENGINES, PACE)?).await),
        })
    }
}
