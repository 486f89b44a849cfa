//! From a request to its answer, whole or streamed.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::ask::Ask;
use super::face::Face;
use super::failure::Failure;
use super::stream::EventStream;
use super::{App, unix_now};
use crate::engine::Work;
use crate::wire::{Counts, Head};

/// Answers a request that could be read.
///
/// # Errors
///
/// An unknown model, a parameter out of range, or an engine that was told to stop.
pub async fn answer(app: &App, headers: &HeaderMap, face: Face, ask: Ask) -> Result<Response, Failure> {
    let model = app
        .catalog
        .resolve(ask.model.as_deref())
        .ok_or_else(|| Failure::unknown_model(ask.model.as_deref().unwrap_or_default(), app.catalog.served()))?;
    let (copies, tokens) = ask.sampling.check(ask.prompts.len(), app.engine.max_model_len())?;
    let id = match (headers.get("x-request-id"), ask.request_id) {
        (Some(id), _) => String::from_utf8_lossy(id.as_bytes()).into_owned(),
        (None, Some(id)) => id,
        (None, None) => app.next_id(),
    };
    let adapter = (model != app.catalog.main()).then_some(model.as_str());
    let work = Work { model: &model, adapter, salt: None, prompts: &ask.prompts, copies, tokens };
    let generation = app.engine.start(&work)?;
    let counts = Counts {
        prompt: ask.prompts.iter().map(|prompt| prompt.tokens).sum(),
        completion: generation.choices() as u64 * u64::from(generation.length()),
    };
    let head = Head {
        id: format!("{}-{id}", face.id_prefix()),
        created: unix_now(),
        model,
        fingerprint: app.fingerprint.clone(),
    };
    if ask.stream {
        let prompts = ask.prompts.iter().map(|prompt| prompt.tokens).collect();
        let events = EventStream::new(face, head, generation, ask.usage, prompts, counts);
        return Ok(typed("text/event-stream; charset=utf-8", events.into_body()));
    }
    let texts = generation.complete().await?.texts;
    Ok(typed("application/json", Body::from(face.whole(&head, &texts, counts))))
}

fn typed(content_type: &'static str, body: Body) -> Response {
    let content_type = HeaderValue::from_static(content_type);
    ([(header::CONTENT_TYPE, content_type)], body).into_response()
}
