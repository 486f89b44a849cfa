//! One line, from its first request to its last.

use super::line::Line;
use super::load::{Progress, Spec, load};
use super::memory::{Memory, Sample};
use super::stage::{Front, MODEL, Stage, memory};
use super::tally::Tally;
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval};

/// What came of a line.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// Its requests.
    pub tally: Tally,
    /// Requests that another endpoint served than the first that was tried.
    pub retried: u64,
    /// What Envoy and the router needed, each second.
    pub memory: Memory,
    /// How long it took.
    pub took: Duration,
}

/// How often there is a look.
const LOOK: Duration = Duration::from_secs(1);

/// How a line is doing.
#[derive(Debug, Clone, Copy)]
pub struct Word {
    /// Since its start.
    pub at: Duration,
    /// Requests that have ended.
    pub ended: u64,
    /// Those of them that were not served.
    pub not_served: u64,
    /// What Envoy and the router need, where both are there.
    pub memory: Option<Sample>,
}

/// Loads, breaks and counts; `tell` hears each second how it is doing.
///
/// # Panics
/// When the stage cannot be set.
pub async fn run(line: &Line, spec: Spec, tell: impl Fn(Word)) -> Row {
    let stage = line.stage().await;
    let mut row = on(&stage, line, spec, tell).await;
    // It waits for threads and processes.
    let _ = tokio::task::spawn_blocking(|| drop(stage)).await;
    if line.ends_connections {
        row.tally = row.tally.with_ended_connections();
    }
    row
}

async fn on(stage: &Stage, line: &Line, spec: Spec, tell: impl Fn(Word)) -> Row {
    let (progress, start) = (Progress::default(), Instant::now());
    let mut row = Row::default();
    let mut seen = 0;
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut asking = std::pin::pin!(load(stage.address(), MODEL, spec, &progress));
    let mut breaking = std::pin::pin!(line.breaks(stage));
    row.tally = loop {
        tokio::select! {
            tally = &mut asking => break tally,
            never = &mut breaking => match never {},
            _ = look.tick() => {
                let (at, (ended, not_served)) = (start.elapsed(), progress.seen());
                let memory = sample(stage, at);
                row.memory.0.extend(memory);
                tell(Word { at, ended, not_served, memory });
                count(stage, &mut seen, &mut row.retried).await;
            }
        }
    };
    row.took = start.elapsed();
    count(stage, &mut seen, &mut row.retried).await;
    row
}

/// An Envoy that was started again counts from 0.
async fn count(stage: &Stage, seen: &mut u64, retried: &mut u64) {
    let now = stage.retried().await;
    *retried += if now >= *seen { now - *seen } else { now };
    *seen = now;
}

fn sample(stage: &Stage, at: Duration) -> Option<Sample> {
    let Front::Up(kthena) = &stage.front else { return None };
    Some(Sample { at, envoy: memory(kthena.child("envoy"))?, router: memory(kthena.child("router"))? })
}
