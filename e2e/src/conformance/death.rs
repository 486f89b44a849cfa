//! The engine dies under its requests.

use super::Subject;
use super::subject::COMPLETIONS;
use crate::{Answer, Client, Stream, until};
use serde_json::Value;
use tokio::task::JoinHandle;

/// Python's `json.dumps` puts spaces in what vLLM's other writers leave out.
const EVENT: &str = concat!(
    r#"{"error": {"message": "EngineCore encountered an issue. See stack trace (above) for the root cause.", "#,
    r#""type": "InternalServerError", "param": null, "code": 500}}"#
);
const MESSAGE: &str = "EngineCore encountered an issue. See stack trace (above) for the root cause.";

/// Our own words for an engine that is not there.
const GONE: &str = "request to all pods failed";

/// A stream and a whole answer under way.
struct UnderWay {
    stream: Stream,
    whole: JoinHandle<Answer>,
}

// === impl UnderWay ===

impl UnderWay {
    async fn start(it: &Subject) -> Self {
        let (front, body) = (it.front.clone(), it.long_body(false));
        let whole = tokio::spawn(async move { front.post(COMPLETIONS, &[], body.to_string()).await });
        let mut stream = it.long_stream().await;
        stream.event().await.expect("a stream").expect("an event");
        Self { stream, whole }
    }

    /// The stream has its status already, so its end tells; `[DONE]` is no proof of success.
    async fn assert_failed(mut self) -> Answer {
        let mut events = Vec::new();
        while let Some(event) = self.stream.event().await.expect("whole events, then a clean end") {
            events.push(event);
        }
        assert!(events.ends_with(&[EVENT.to_owned(), "[DONE]".to_owned()]), "{:?}", events.last_chunk::<3>());
        let tokens = &events[..events.len() - 2];
        let json = |event: &String| serde_json::from_str::<Value>(event).expect("JSON");
        assert!(tokens.iter().all(|event| json(event)["choices"][0]["finish_reason"].is_null()), "it was under way");
        self.whole.await.expect("an answer")
    }
}

/// Both ways at once, for there is one engine to kill.
pub(super) async fn check(direct: Subject, behind_envoy: Subject, kill: impl FnOnce()) {
    let under_way = [UnderWay::start(&direct).await, UnderWay::start(&behind_envoy).await];
    direct.metrics_until("four requests running", |page| page.gauge("num_requests_running") == 4.0).await;
    kill();
    let [direct_way, envoy_way] = under_way;
    Subject::assert_refused(&direct_way.assert_failed().await, 500, "InternalServerError", None, MESSAGE);
    // Envoy tries again, and either the engine still answers so or it is gone.
    let whole = envoy_way.assert_failed().await;
    assert!([(500, MESSAGE), (503, GONE)].contains(&(whole.status, &*whole.error())), "{}", whole.text());
    until("the port to close", async || Client::new(direct.engine.address()).try_get("/health").await.err()).await;
    let answer = behind_envoy.chat(serde_json::json!({})).await;
    answer.assert_error(503, GONE);
}
