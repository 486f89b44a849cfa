//! `/debug/decisions`: the latest decisions, explained, and those to come as Server-Sent Events.

use super::explain::explain;
use super::{Debug, error};
use crate::decisions::Record;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::json;
use std::convert::Infallible;
use std::sync::Arc;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

/// How many live feeds may be open at once: pages of a few people.
pub(super) const MOST_FEEDS: usize = 16;

/// Which decisions are wanted.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Wanted {
    /// At most that many.
    limit: Option<usize>,
    /// Of this ModelServer, `namespace/name`.
    target: Option<String>,
    /// For this model, as the engine is asked for it.
    model: Option<String>,
}

impl Wanted {
    fn has(&self, record: &Record) -> bool {
        self.target.as_ref().is_none_or(|target| *target == record.target)
            && self.model.as_ref().is_none_or(|model| *model == record.model)
    }
}

type Asked = Result<Query<Wanted>, QueryRejection>;

/// `GET /debug/decisions?limit=N&target=NS/NAME&model=M`: the latest first.
pub(super) async fn latest(State(debug): State<Arc<Debug>>, wanted: Asked) -> Response {
    let wanted = match wanted {
        Ok(Query(wanted)) => wanted,
        Err(rejection) => return refused(&rejection),
    };
    let decisions = debug.picker.decisions();
    let profile = debug.picker.profile();
    let records = decisions.latest();
    let of_interest = records.iter().filter(|record| wanted.has(record));
    let explained: Vec<_> =
        of_interest.take(wanted.limit.unwrap_or(usize::MAX)).map(|record| explain(record, &profile)).collect();
    Json(json!({ "kept": decisions.limit(), "decisions": explained })).into_response()
}

/// `GET /debug/decisions/stream?target=NS/NAME&model=M`: an event `decision` for each from now on, and `skipped`
/// with a number where the reader was too slow for that many.
pub(super) async fn stream(State(debug): State<Arc<Debug>>, wanted: Asked) -> Response {
    let wanted = match wanted {
        Ok(Query(wanted)) => wanted,
        Err(rejection) => return refused(&rejection),
    };
    let Ok(permit) = Arc::clone(&debug.feeds).try_acquire_owned() else {
        let message = format!("{MOST_FEEDS} live feeds are open, which is all there are: close one");
        return error(StatusCode::SERVICE_UNAVAILABLE, message);
    };
    let feed = BroadcastStream::new(debug.picker.decisions().feed());
    let events = feed.filter_map(move |next| {
        // The place is given back when the stream ends, whatever ends it.
        let _held = &permit;
        let event = match next {
            Ok(record) => wanted.has(&record).then(|| {
                let explained = explain(&record, &debug.picker.profile());
                Event::default().event("decision").data(explained.to_string())
            }),
            Err(BroadcastStreamRecvError::Lagged(missed)) => {
                Some(Event::default().event("skipped").data(missed.to_string()))
            }
        };
        std::future::ready(event.map(Ok::<_, Infallible>))
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

fn refused(rejection: &QueryRejection) -> Response {
    let message =
        format!("{}; accepted are limit (a number), target (namespace/name) and model", rejection.body_text());
    error(StatusCode::BAD_REQUEST, message)
}
