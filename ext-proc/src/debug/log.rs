//! `/debug/log`: which log lines are written, changed while the process runs.

use super::{Debug, error};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::fmt;
use std::sync::Arc;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::reload::Handle;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// What is accepted, for people.
const ACCEPTED: &str = "expected directives separated by commas, each a level (off, error, warn, info, debug, trace) or TARGET=LEVEL, \
     such as `info,kthena_ext_proc=debug`";

/// The filter of the log, which whoever installed the subscriber hands over.
pub struct Log(Box<dyn Reload>);

/// A handle without the subscriber's type.
trait Reload: Send + Sync {
    fn show(&self) -> Result<String, String>;
    fn change(&self, filter: EnvFilter) -> Result<(), String>;
}

// === impl Log ===

impl Log {
    /// The filter behind a reload handle of the subscriber that is installed.
    pub fn new<S: 'static>(handle: Handle<EnvFilter, S>) -> Self {
        Self(Box::new(handle))
    }

    /// The directives in force.
    ///
    /// # Errors
    /// The subscriber is gone.
    pub fn show(&self) -> Result<String, String> {
        self.0.show()
    }

    /// Replaces the directives.
    ///
    /// # Errors
    /// What does not parse, with what is accepted; the old ones stay.
    pub fn change(&self, directives: &str) -> Result<(), String> {
        self.0.change(parse(directives)?)
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Log").field(&self.show()).finish()
    }
}

impl<S: 'static> Reload for Handle<EnvFilter, S> {
    fn show(&self) -> Result<String, String> {
        self.with_current(ToString::to_string).map_err(|error| error.to_string())
    }

    fn change(&self, filter: EnvFilter) -> Result<(), String> {
        self.reload(filter).map_err(|error| error.to_string())
    }
}

fn parse(directives: &str) -> Result<EnvFilter, String> {
    let directives = directives.trim();
    // A misspelt level would pass for the name of a target, and turn on all that it never says.
    let misspelt = |word: &&str| !word.contains('=') && !LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word));
    if let Some(word) = directives.split(',').map(str::trim).find(misspelt) {
        return Err(format!("`{word}` is no level; {ACCEPTED}"));
    }
    EnvFilter::builder().parse(directives).map_err(|error| format!("{error}; {ACCEPTED}"))
}

/// `GET /debug/log`: `{"filter": "info"}`.
pub(super) async fn show(State(debug): State<Arc<Debug>>) -> Response {
    match filter(&debug) {
        Ok(filter) => Json(json!({ "filter": filter })).into_response(),
        Err(message) => error(StatusCode::SERVICE_UNAVAILABLE, message),
    }
}

/// `PUT /debug/log` with directives as the body.
pub(super) async fn change(State(debug): State<Arc<Debug>>, directives: String) -> Response {
    let Some(log) = &debug.log else { return show(State(debug)).await };
    let old = log.show().unwrap_or_default();
    if let Err(message) = log.change(&directives) {
        return error(StatusCode::BAD_REQUEST, message);
    }
    let new = log.show().unwrap_or_default();
    tracing::info!("log filter: {new} (was {old})");
    Json(json!({ "filter": new })).into_response()
}

fn filter(debug: &Debug) -> Result<String, String> {
    let log = debug.log.as_ref().ok_or("this process was started without a log filter that can be changed")?;
    log.show()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::fmt;

    #[test]
    fn directives_are_replaced_and_bad_ones_change_nothing() {
        let builder = fmt().with_env_filter(EnvFilter::new("info")).with_filter_reloading();
        let log = Log::new(builder.reload_handle());
        let subscriber = builder.finish();
        assert_eq!(log.show().unwrap(), "info");
        log.change(" warn,kthena_ext_proc=debug\n").unwrap();
        assert_eq!(log.show().unwrap(), "kthena_ext_proc=debug,warn");
        for bad in ["", "inf0", "kthena_ext_proc", "a=loud", "info,,debug", "a=[debug"] {
            let message = log.change(bad).unwrap_err();
            assert!(message.contains("kthena_ext_proc=debug`"), "{bad:?}: {message}");
        }
        assert_eq!(log.show().unwrap(), "kthena_ext_proc=debug,warn");
        drop(subscriber);
        assert!(log.show().is_err());
    }
}
