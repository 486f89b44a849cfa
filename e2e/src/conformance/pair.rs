//! Beside another engine: whoever is asleep, or on its way out, costs no request, though its `/health` says 200.

use super::bench::PAIR;
use super::subject::COMPLETIONS;
use super::{Case, Subject, cases};
use crate::{Answer, until};
use serde_json::json;
use tokio::time::timeout;

pub(super) const BEHIND_ENVOY: &[Case] = cases![an_engine_asleep_is_passed_over];

/// How the simulated engine beside the one under test calls itself.
pub(super) const STAND_IN: &str = "stand-in";

/// What an engine that was told to end says to whatever is new.
const SHUTTING_DOWN: &str = "cannot schedule new futures after shutdown";

/// Requests that would all be served by one of two engines by chance once in a million times.
const REQUESTS: usize = 20;

/// A request that either may serve; whether the one under test did.
async fn served(it: &Subject) -> bool {
    it.chat(json!({"model": PAIR})).await.ok().pod() != STAND_IN
}

async fn all_go_to_the_other(it: &Subject) {
    for number in 0..REQUESTS {
        assert!(!served(it).await, "number {number}");
    }
}

async fn both_serve(it: &Subject) {
    until("the engine to serve", async || served(it).await.then_some(())).await;
    until("the other to serve", async || (!served(it).await).then_some(())).await;
}

/// On a CPU nothing is moved out of memory, yet nothing is computed either.
async fn an_engine_asleep_is_passed_over(it: Subject) {
    both_serve(&it).await;
    it.idle().await;
    it.engine.post("/sleep?level=1", &[], "").await.ok();
    assert_eq!(it.engine.get("/health").await.status, 200);
    let engine = it.engine.clone();
    let body = it.completion_body(json!({})).to_string();
    let asked = tokio::spawn(async move { engine.post(COMPLETIONS, &[], body).await });
    let page = it.page().await;
    assert_eq!(page.labelled("engine_sleep_state", &[("sleep_state", "awake")]), 0.0);
    until("the picker to know", async || {
        let pods = it.router.try_get("/debug/config_dump/pods").await.ok()?.json();
        pods["pods"].as_array()?.iter().any(|pod| pod["asleep"] == true).then_some(())
    })
    .await;
    all_go_to_the_other(&it).await;
    assert!(!asked.is_finished(), "asleep it answers nothing");
    it.engine.post("/wake_up", &[], "").await.ok();
    // What came while it slept is computed now.
    timeout(crate::DEADLINE, asked).await.expect("an answer").expect("no panic").ok();
    both_serve(&it).await;
}

/// The engine is told to end and has a stream under way, for which it has the time that it was given.
pub(super) async fn check_leaving(direct: Subject, behind: Subject, leave: impl FnOnce()) {
    both_serve(&behind).await;
    let mut under_way = direct.long_stream().await;
    under_way.event().await.expect("a stream").expect("an event");
    leave();
    let refusal = async || Some(direct.chat(json!({})).await).filter(|answer: &Answer| answer.status == 500);
    let refused = until("it to refuse", refusal).await;
    Subject::assert_refused(&refused, 500, "InternalServerError", None, SHUTTING_DOWN);
    is_well_or_gone(&direct).await;
    all_go_to_the_other(&behind).await;
    is_well_or_gone(&direct).await;
}

/// A real one has ended once its time is up, which is some seconds; until then it says that it is well.
async fn is_well_or_gone(it: &Subject) {
    if let Ok(health) = it.engine.try_get("/health").await {
        assert_eq!(health.status, 200);
    }
}
