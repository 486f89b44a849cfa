//! `POST /generate`, and the health check that generates.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use serde_json::Value;

use super::super::App;
use super::super::ask::Ask;
use super::super::failure::Failure;
use super::super::fields::{self, Fields};
use super::super::generate::answer;
use super::super::prompt::texts_or_ids;
use crate::engine::{PromptReader, Work};
use crate::wire::sglang::generate::Generate;

/// SGLang's default for `max_new_tokens`.
const DEFAULT_TOKENS: i64 = 128;

pub async fn handle(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Result<Response, Failure> {
    let (ask, batch) = read(&headers, &body).map_err(Failure::on_sglang)?;
    drop(body);
    let answer = answer(&app, &headers, "", ask, |head, _| Box::new(Generate::new(head, batch))).await;
    answer.map_err(Failure::on_sglang)
}

/// One token is made, unless the engine is busy and so shows that it lives.
pub async fn health(State(app): State<Arc<App>>) -> StatusCode {
    if app.engine.running() > 0 {
        return StatusCode::OK;
    }
    let mut reader = PromptReader::default();
    reader.token_id(0);
    let prompts = [reader.finish()];
    let work = Work { model: app.catalog.main(), adapter: None, salt: None, prompts: &prompts, copies: 1, tokens: 1 };
    match app.engine.start(&work) {
        Ok(generation) => match generation.complete().await {
            Ok(_) => StatusCode::OK,
            Err(_) => StatusCode::SERVICE_UNAVAILABLE,
        },
        // So many are here that one more is refused: it lives.
        Err(_) => StatusCode::OK,
    }
}

fn read(headers: &HeaderMap, body: &[u8]) -> Result<(Ask, bool), Failure> {
    let object = fields::object(headers, body)?;
    let mut fields = Fields::new(&object);
    let given: Vec<(&str, &Value)> =
        ["text", "input_ids"].into_iter().filter_map(|name| Some((name, object.get(name)?))).collect();
    let [(name, prompt)] = given[..] else {
        let message = "Either text, input_ids or input_embeds should be provided.";
        return Err(Failure::bad_request(message.to_owned()));
    };
    let prompts = texts_or_ids(&mut fields, name, prompt);
    let batch = match prompt {
        Value::Array(list) => !list.iter().all(Value::is_u64),
        _ => false,
    };
    let mut ask = Ask::read(&mut fields, &[], prompts);
    let sampling = &mut ask.sampling;
    sampling.tokens = DEFAULT_TOKENS;
    fields.nested("sampling_params", |nested| {
        sampling.tokens = nested.integer("max_new_tokens").unwrap_or(DEFAULT_TOKENS);
        ask.stops = nested.texts("stop");
        sampling.copies = nested.integer("n").unwrap_or(1);
        sampling.temperature = nested.float("temperature");
        sampling.top_p = nested.float("top_p");
    });
    let batch = batch || sampling.copies > 1;
    ask.request_id = fields.string("rid").map(str::to_owned);
    fields.finish()?;
    Ok((ask, batch))
}
