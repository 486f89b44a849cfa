//! `/debug/decisions`: the latest decisions, explained, and those to come as Server-Sent Events.

use super::explain::{Explained, explain};
use super::feed::{Feed, News};
use super::{Debug, error};
use crate::decisions::Record;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// How many live feeds may be open at once: pages of a few people.
pub(super) const MOST_FEEDS: usize = 16;

/// How many decisions are told to who does not say how many.
const LIMIT: usize = 50;

/// Which decisions are wanted.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Wanted {
    /// At most that many; [`LIMIT`] where it is not said.
    pub(super) limit: Option<usize>,
    /// Of this ModelServer, `namespace/name`.
    pub(super) target: Option<String>,
    /// For this model, as the engine is asked for it.
    pub(super) model: Option<String>,
}

impl Wanted {
    pub(super) fn has(&self, record: &Record) -> bool {
        self.target.as_ref().is_none_or(|target| *target == record.target)
            && self.model.as_ref().is_none_or(|model| *model == record.model)
    }
}

type Asked = Result<Query<Wanted>, QueryRejection>;

/// The answer of [`latest`].
#[derive(Serialize)]
struct Latest<'a> {
    kept: usize,
    decisions: Vec<Explained<'a>>,
}

/// `GET /debug/decisions?limit=N&target=NS/NAME&model=M`: the latest first.
pub(super) async fn latest(State(debug): State<Arc<Debug>>, wanted: Asked) -> Response {
    let wanted = match wanted {
        Ok(Query(wanted)) => wanted,
        Err(rejection) => return refused(&rejection),
    };
    // Requests are decided on this runtime: they do not wait for megabytes of JSON.
    let made = spawn_blocking(move || {
        let decisions = debug.picker.decisions();
        let records = decisions.latest();
        let of_interest = records.iter().filter(|record| wanted.has(record));
        let explained = of_interest.take(wanted.limit.unwrap_or(LIMIT));
        let explained = explained.map(|record| explain(record, &debug.picker.profile(&record.target)));
        serde_json::to_vec(&Latest { kept: decisions.limit(), decisions: explained.collect() })
    });
    match made.await {
        Ok(Ok(body)) => ([(CONTENT_TYPE, "application/json")], body).into_response(),
        Ok(Err(failure)) => error(StatusCode::INTERNAL_SERVER_ERROR, failure.to_string()),
        Err(failure) => error(StatusCode::INTERNAL_SERVER_ERROR, failure.to_string()),
    }
}

/// `GET /debug/decisions/stream?target=NS/NAME&model=M`: an event `decision` for each from now on, [`super::feed::RATE`] a second
/// at the most, and `skipped` with a number where there were that many more, or the reader was too slow for them.
pub(super) async fn stream(State(debug): State<Arc<Debug>>, wanted: Asked) -> Response {
    let wanted = match wanted {
        Ok(Query(wanted)) => wanted,
        Err(rejection) => return refused(&rejection),
    };
    let Ok(permit) = Arc::clone(&debug.feeds).try_acquire_owned() else {
        let message = format!("{MOST_FEEDS} live feeds are open, which is all there are: close one");
        return error(StatusCode::SERVICE_UNAVAILABLE, message);
    };
    let feed = Feed::new(debug.picker.decisions().feed(), wanted);
    let events = stream::unfold((feed, permit, debug), async |(mut feed, permit, debug)| {
        let event = match feed.next().await? {
            News::Decision(record) => {
                let explained = explain(&record, &debug.picker.profile(&record.target));
                Event::default().event("decision").json_data(explained)
            }
            News::Skipped(missed) => Ok(Event::default().event("skipped").data(missed.to_string())),
        };
        // The place is given back when the stream ends, whatever ends it.
        Some((event, (feed, permit, debug)))
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

fn refused(rejection: &QueryRejection) -> Response {
    let message =
        format!("{}; accepted are limit (a number), target (namespace/name) and model", rejection.body_text());
    error(StatusCode::BAD_REQUEST, message)
}
