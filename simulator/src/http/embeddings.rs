//! `POST /v1/embeddings`: a vector of unit length for each input, drawn from its text.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::ask::Ask;
use super::failure::Failure;
use super::fields::{self, Fields};
use super::generate::typed;
use super::prompt::texts_or_ids;
use super::{App, unix_now};
use crate::engine::{Prompt, SplitMix64, Work, digest64};
use crate::wire::embeddings::{Vector, whole};

/// As many as small models have.
const DEFAULT_DIMENSIONS: i64 = 384;
const MAX_DIMENSIONS: i64 = 16_384;

/// Numbers of one answer: 40 MB as floats, a hundred or so as JSON.
const MOST_NUMBERS: u64 = 10_000_000;

/// What is asked for.
#[derive(Debug)]
struct Wanted {
    ask: Ask,
    base64: bool,
    dimensions: usize,
}

pub async fn handle(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Result<Response, Failure> {
    let Wanted { ask, base64, dimensions } = read(&headers, &body)?;
    drop(body);
    let target = app.target(&ask)?;
    super::ask::fit(app.face, &ask.prompts, 1, &ask.sampling, app.engine.max_model_len())?;
    // An embedding is a prefill: one token is made, and not looked at.
    let (model, adapter) = (&*target.model, target.adapter.as_deref());
    let work = Work { model, adapter, salt: ask.salt.as_deref(), prompts: &ask.prompts, copies: 1, tokens: 1 };
    app.engine.start(&work).map_err(|rejected| Failure::rejected(rejected, app.face))?.complete().await?;
    let vectors = ask.prompts.iter().map(|prompt| {
        let floats = floats(&target.model, prompt, dimensions);
        if base64 {
            let bytes: Vec<u8> = floats.iter().flat_map(|float| float.to_le_bytes()).collect();
            Vector::Base64(STANDARD.encode(bytes))
        } else {
            Vector::Floats(floats)
        }
    });
    let tokens = ask.prompts.iter().map(|prompt| prompt.tokens).sum();
    let id = format!("embd-{}", app.next_id());
    let body = whole(&id, unix_now(), &target.shown, vectors.collect(), tokens);
    Ok(typed("application/json", Body::from(body)))
}

fn read(headers: &HeaderMap, body: &[u8]) -> Result<Wanted, Failure> {
    let object = fields::object(headers, body)?;
    let mut fields = Fields::new(&object);
    fields.required("input");
    let prompts = object.get("input").map(|input| texts_or_ids(&mut fields, "input", input)).unwrap_or_default();
    let base64 = match fields.string("encoding_format") {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => {
            let message = "Input should be \\'float\\' or \\'base64\\'";
            fields.wrong("encoding_format", "literal_error", message, &object["encoding_format"]).unwrap_or(false)
        }
    };
    let dimensions = fields.integer("dimensions").unwrap_or(DEFAULT_DIMENSIONS);
    let ask = Ask::read(&mut fields, &[], prompts);
    fields.finish()?;
    if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
        let message = format!("dimensions must be between 1 and {MAX_DIMENSIONS}, got {dimensions}.");
        return Err(Failure::parameter("dimensions", &message, Some(dimensions.to_string())));
    }
    let numbers = (ask.prompts.len() as u64).saturating_mul(dimensions.unsigned_abs());
    if numbers > MOST_NUMBERS {
        let message = format!(
            "{} inputs of {dimensions} dimensions are {numbers} numbers, and the simulator makes at most \
             {MOST_NUMBERS} in an answer.",
            ask.prompts.len()
        );
        return Err(Failure::parameter("input", &message, Some(numbers.to_string())));
    }
    Ok(Wanted { ask, base64, dimensions: usize::try_from(dimensions).unwrap_or(1) })
}

fn floats(model: &str, prompt: &Prompt, dimensions: usize) -> Vec<f32> {
    let mut random = SplitMix64::new(digest64(&[model.as_bytes(), &prompt.fingerprint.to_le_bytes()]));
    // Sixteen bits make a float exactly.
    let raw: Vec<f32> = (0..dimensions).map(|_| f32::from((random.next() >> 48) as u16) / 32_768.0 - 1.0).collect();
    let length = raw.iter().map(|float| float * float).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    raw.into_iter().map(|float| float / length).collect()
}
