//! Many streams, and every way to fail among the engines that serve them.

use crate::chaos::stage::Stage;
use serde_json::json;
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::sleep;

/// Of one engine in one way.
const SPELL: Duration = Duration::from_secs(1);

pub async fn failing(stage: &Stage) -> Infallible {
    let ways = [
        json!([{"kind": "reset"}]),
        json!([{"kind": "status", "status": 503}]),
        json!([{"kind": "stall"}]),
        json!([{"kind": "close", "after": 5, "share": 0.2}]),
        json!([{"kind": "drip", "bytes": 64, "every": "2ms"}]),
        json!([{"kind": "stall", "after": 2, "for": "1s"}]),
    ];
    let mut engines = stage.engines.iter().cycle();
    loop {
        for way in &ways {
            let (dying, sick) = (engines.next(), engines.next());
            let (Some(dying), Some(sick)) = (dying, sick) else { panic!("engines are needed") };
            sick.faults(way).await;
            dying.kill();
            sleep(SPELL).await;
            dying.restart().await;
            sick.faults(&json!([])).await;
            sleep(SPELL).await;
        }
    }
}
