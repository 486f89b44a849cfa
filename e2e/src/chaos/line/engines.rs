//! Engines that fail while others are well.

use crate::chaos::simulator::Simulator;
use crate::chaos::stage::Stage;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::sleep;

/// How long an engine is away, or back.
const AWAY: Duration = Duration::from_secs(1);
/// How long it fails in one way.
const SPELL: Duration = Duration::from_millis(1500);
/// All are well before others fail: a request that has tried the first half must not meet the second one's turn, as if
/// all four had failed.
const WELL: Duration = Duration::from_millis(500);

pub async fn killed(stage: &Stage) -> Infallible {
    loop {
        for engine in &stage.engines {
            engine.kill();
            sleep(AWAY).await;
            engine.restart().await;
            sleep(AWAY).await;
        }
    }
}

pub async fn stalled(stage: &Stage) -> Infallible {
    let starting = json!([{"kind": "stall"}]);
    let midway = json!([{"kind": "stall", "after": 3, "for": "1s", "share": 0.5}]);
    sick(stage, &[starting, midway]).await
}

pub async fn dripping(stage: &Stage) -> Infallible {
    sick(stage, &[json!([{"kind": "drip", "bytes": 32, "every": "2ms"}])]).await
}

pub async fn resetting_first(stage: &Stage) -> Infallible {
    sick(stage, &[json!([{"kind": "reset"}]), json!([{"kind": "close"}])]).await
}

pub async fn resetting_midway(stage: &Stage) -> Infallible {
    sick(stage, &[json!([{"kind": "reset", "after": 3}]), json!([{"kind": "close", "after": 3}])]).await
}

pub async fn failing(stage: &Stage) -> Infallible {
    let statuses = [500, 502, 503].map(|status| json!([{"kind": "status", "status": status}]));
    sick(stage, &statuses).await
}

/// Half of the engines fail, each spell in the next way, and then the other half.
async fn sick(stage: &Stage, ways: &[Value]) -> Infallible {
    let half = |which: usize| stage.engines.iter().skip(which).step_by(2);
    loop {
        for which in [0, 1] {
            for way in ways {
                all(half(which), way).await;
                sleep(SPELL).await;
            }
            all(half(which), &json!([])).await;
            sleep(WELL).await;
        }
    }
}

async fn all<'a>(engines: impl Iterator<Item = &'a Simulator>, faults: &Value) {
    futures::future::join_all(engines.map(|engine| engine.faults(faults))).await;
}
