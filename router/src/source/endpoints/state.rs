//! What is known of one engine, and what an answer or a failure makes of it: pure.

use super::engine::Engine;
use super::engine_url::EngineUrl;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// An endpoint as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// As the user gave it.
    pub(super) endpoint: EngineUrl,
    /// The last good answer.
    pub(super) engine: Option<Engine>,
    /// Why it gets no requests now.
    pub(super) trouble: Option<Trouble>,
    /// Failures since the last good answer.
    #[serde(skip)]
    failures: u32,
}

/// Why an engine gave no list of models; shown as one line without a final stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub(super) enum Trouble {
    #[error("{0}")]
    Connection(String),
    #[error("no answer within {} s", .0.as_secs())]
    Timeout(Duration),
    #[error(
        "GET /v1/models answered {0}: the engine wants its API key; put it into KTHENA_ENDPOINT_API_KEY, which every \
         --endpoint is sent with our own questions: clients send their own"
    )]
    Key(u16),
    #[error("GET /v1/models answered {0}")]
    Failing(String),
    #[error("GET /v1/models answered {0}: not an OpenAI-compatible engine")]
    NotAnEngine(String),
    #[error("serves no model yet")]
    NoModel,
    /// This one too: requests would go round in a circle.
    #[error("a Kthena router, not an engine; give the engines behind it")]
    Router,
}

/// Failures in a row after which a known engine gets no more requests. Before, and for those under way, Envoy tries
/// another engine where a connection is refused.
const PATIENCE: u32 = 3;
/// The same for an engine that takes connections and does not answer: most likely it is busy.
const PATIENCE_WITH_A_BUSY_ONE: u32 = 10;

// === impl State ===

impl State {
    /// Of an engine that was not asked yet.
    pub(super) fn new(endpoint: EngineUrl) -> Self {
        Self { endpoint, engine: None, trouble: None, failures: 0 }
    }

    /// Whether it may have requests.
    pub(super) fn is_ready(&self) -> bool {
        self.engine.is_some() && self.trouble.is_none()
    }

    /// Takes what became of asking it.
    pub(super) fn observe(&mut self, answer: Result<Engine, Trouble>) {
        match answer {
            Ok(engine) => {
                self.engine = Some(engine);
                self.trouble = None;
                self.failures = 0;
            }
            Err(trouble) => {
                self.failures = self.failures.saturating_add(1);
                let patience = match trouble {
                    Trouble::Timeout(_) => PATIENCE_WITH_A_BUSY_ONE,
                    // It answered well: each request more goes in a circle.
                    Trouble::Router => 1,
                    _ => PATIENCE,
                };
                if self.engine.is_none() || self.trouble.is_some() || self.failures >= patience {
                    self.trouble = Some(trouble);
                }
            }
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.endpoint)?;
        match &self.engine {
            Some(engine) if self.trouble.is_none() => engine.fmt(f),
            // Why is told as a problem.
            _ => f.write_str("waiting"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::endpoints::engine::{Kind, Model};

    fn engine(model: &str) -> Engine {
        let models = vec![Model { name: model.to_owned(), parent: None }];
        Engine { address: ([127, 0, 0, 1], 8000).into(), kind: Kind::Vllm, models }
    }

    fn refused() -> Result<Engine, Trouble> {
        Err(Trouble::Connection("connection refused".to_owned()))
    }

    fn state() -> State {
        State::new("http://127.0.0.1:8000".parse().unwrap())
    }

    #[test]
    fn an_engine_that_never_answered_is_waited_for_and_says_why() {
        let mut state = state();
        state.observe(refused());
        assert!(!state.is_ready());
        assert_eq!(state.trouble.as_ref().unwrap().to_string(), "connection refused");
        assert_eq!(state.to_string(), "http://127.0.0.1:8000: waiting");
        state.observe(Ok(engine("m")));
        assert!(state.is_ready());
        assert_eq!(state.to_string(), "http://127.0.0.1:8000: vLLM serves m");
    }

    #[test]
    fn a_known_engine_is_left_out_after_three_failures_and_back_with_one_answer() {
        let mut state = state();
        state.observe(Ok(engine("m")));
        for ready in [true, true, false, false] {
            state.observe(refused());
            assert_eq!(state.is_ready(), ready);
        }
        assert_eq!(state.engine, Some(engine("m")), "its models are not forgotten");
        state.observe(Ok(engine("other")));
        assert!(state.is_ready());
        assert_eq!(state.engine, Some(engine("other")));
    }

    #[test]
    fn a_router_where_an_engine_was_gets_nothing_from_the_first_answer_on() {
        let mut state = state();
        state.observe(Ok(engine("m")));
        state.observe(Err(Trouble::Router));
        assert!(!state.is_ready());
    }

    #[test]
    fn failures_count_from_the_last_answer() {
        let mut state = state();
        for _ in 0..3 {
            state.observe(Ok(engine("m")));
            state.observe(refused());
            state.observe(refused());
        }
        assert!(state.is_ready());
    }

    #[test]
    fn a_busy_engine_has_more_time() {
        let mut state = state();
        state.observe(Ok(engine("m")));
        let late = || Err(Trouble::Timeout(Duration::from_secs(2)));
        (1..PATIENCE_WITH_A_BUSY_ONE).for_each(|_| state.observe(late()));
        assert!(state.is_ready());
        state.observe(late());
        assert_eq!(state.trouble.unwrap().to_string(), "no answer within 2 s");
    }
}
