//! From a request to its answer, whole or streamed.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::ask::Ask;
use super::failure::Failure;
use super::stops::Stops;
use super::stream::EventStream;
use super::{App, unix_now};
use crate::engine::{Generation, Stopped, Work};
use crate::wire::call::Call;
use crate::wire::{Choice, Counts, Head, PromptFacts, Script};

/// Answers a request that could be read; the answer's id begins with `prefix`.
///
/// # Errors
///
/// An unknown model, no message, a parameter out of range, too long a prompt, a full queue, or an engine that was
/// told to stop.
pub async fn answer(
    app: &App,
    headers: &HeaderMap,
    prefix: &str,
    mut ask: Ask,
    script: impl FnOnce(Head, u32) -> Box<dyn Script>,
) -> Result<Response, Failure> {
    let target = app.target(&ask)?;
    rank(headers)?;
    if ask.prompts.is_empty() {
        return Err(Failure::empty_conversation(app.face));
    }
    let (copies, tokens) = ask.sampling.check(ask.prompts.len(), app.engine.max_model_len())?;
    let tokens = super::ask::fit(app.face, &ask.prompts, tokens, &ask.sampling, app.engine.max_model_len())?;
    let length = ask.call.as_ref().map_or(tokens, |call| tokens.min(call.length()));
    let work = Work {
        model: &target.model,
        adapter: target.adapter.as_deref(),
        salt: ask.salt.as_deref(),
        prompts: &ask.prompts,
        copies,
        tokens: length,
    };
    let generation = app.engine.start(&work).map_err(|rejected| Failure::rejected(rejected, app.face))?;
    let counts = Counts {
        prompt: ask.prompts.iter().map(|prompt| prompt.tokens).sum(),
        cached: 0,
        completion: generation.choices() as u64 * u64::from(generation.length()),
    };
    let stops = Stops::new(std::mem::take(&mut ask.stops), generation.choices());
    let (stream, head) = (ask.stream, head(app, headers, prefix, ask, target.shown, copies));
    let mut script = script(head, tokens);
    if stream {
        return Ok(typed(
            "text/event-stream; charset=utf-8",
            EventStream::new(script, generation, counts, stops).into_body(),
        ));
    }
    let (choices, counts) = whole(generation, counts, stops).await?;
    Ok(typed("application/json", Body::from(script.whole(&choices, counts))))
}

/// Gathers all choices, each until its stop.
async fn whole(mut generation: Generation, counts: Counts, mut stops: Stops) -> Result<(Vec<Choice>, Counts), Stopped> {
    if !stops.any() {
        let answer = generation.complete().await?;
        let choices = answer.texts.into_iter().zip(answer.ids).map(|(text, ids)| Choice { text, ids, stop: None });
        return Ok((choices.collect(), Counts { cached: answer.cached_tokens, ..counts }));
    }
    let mut choices = Vec::new();
    while let Some(token) = generation.next().await? {
        if let Some(told) = stops.tell(&token) {
            told.gather(&token, &mut choices);
        }
        if stops.all_ended() {
            break;
        }
    }
    let completion = choices.iter().map(|choice| choice.ids.len() as u64).sum();
    Ok((choices, Counts { cached: generation.cached_tokens(), completion, ..counts }))
}

fn head(app: &App, headers: &HeaderMap, prefix: &str, ask: Ask, model: String, copies: usize) -> Head {
    let id = match (headers.get("x-request-id"), ask.request_id) {
        (Some(id), _) => String::from_utf8_lossy(id.as_bytes()).into_owned(),
        (None, Some(id)) => id,
        (None, None) => app.next_id(),
    };
    let facts = |tokens, ids| PromptFacts { tokens, ids: ask.token_ids.then_some(ids) };
    Head {
        id: format!("{prefix}{id}"),
        created: unix_now(),
        model,
        fingerprint: app.fingerprint.clone(),
        usage: ask.usage,
        details: app.details,
        token_ids: ask.token_ids,
        prompts: ask.prompts.into_iter().map(|prompt| facts(prompt.tokens, prompt.ids)).collect(),
        copies,
        call: ask.call.map(|call| Call { ids: (0..copies).map(|_| tool_call_id(app)).collect(), ..call }),
    }
}

fn tool_call_id(app: &App) -> String {
    format!("chatcmpl-tool-{}", app.next_id())
}

/// One simulator is one rank; vLLM takes no notice of a rank that is no number.
fn rank(headers: &HeaderMap) -> Result<(), Failure> {
    let rank = headers.get("x-data-parallel-rank").and_then(|rank| rank.to_str().ok()?.trim().parse::<i64>().ok());
    match rank {
        None | Some(0) => Ok(()),
        Some(rank) => Err(Failure::bad_request(format!("data_parallel_rank {rank} is out of range [0, 1)."))),
    }
}

/// `body` with a content type.
pub fn typed(content_type: &'static str, body: Body) -> Response {
    let content_type = HeaderValue::from_static(content_type);
    ([(header::CONTENT_TYPE, content_type)], body).into_response()
}
