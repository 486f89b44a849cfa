//! `/v1/completions`.

use bytes::Bytes;
use serde::Serialize;

use super::{Chunk, Counts, FINISH_REASON, Head, Piece, Usage};

/// Chunks and whole answers share it.
const OBJECT: &str = "text_completion";

#[derive(Serialize)]
struct Choice<'a> {
    index: usize,
    text: &'a str,
    logprobs: (),
    finish_reason: Option<&'static str>,
    stop_reason: (),
    prompt_token_ids: (),
    token_ids: (),
}

#[derive(Serialize)]
struct Whole<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: Vec<WholeChoice<'a>>,
    service_tier: (),
    system_fingerprint: &'a str,
    usage: Usage,
    kv_transfer_params: (),
    ec_transfer_params: (),
    metrics: (),
}

#[derive(Serialize)]
struct WholeChoice<'a> {
    index: usize,
    text: &'a str,
    logprobs: (),
    finish_reason: &'static str,
    stop_reason: (),
    token_ids: (),
    prompt_logprobs: (),
    prompt_token_ids: (),
    routed_experts: (),
}

/// One token's event.
pub fn piece(head: &Head, piece: &Piece<'_>) -> Bytes {
    let choices = [Choice {
        index: piece.index,
        text: piece.text,
        logprobs: (),
        finish_reason: piece.last.then_some(FINISH_REASON),
        stop_reason: (),
        prompt_token_ids: (),
        token_ids: (),
    }];
    let mut chunk = Chunk::new(head, OBJECT, &choices);
    chunk.usage = piece.usage.map(Usage::bare);
    chunk.system_fingerprint = piece.fingerprint.then_some(head.fingerprint.as_str());
    chunk.event()
}

/// The event with the counts of the whole stream.
pub fn totals(head: &Head, counts: Counts) -> Bytes {
    Chunk::<()>::new(head, OBJECT, &[]).with_totals(counts, head).event()
}

/// The whole answer as one body.
pub fn whole(head: &Head, texts: &[String], counts: Counts) -> Bytes {
    let choices = texts
        .iter()
        .enumerate()
        .map(|(index, text)| WholeChoice {
            index,
            text,
            logprobs: (),
            finish_reason: FINISH_REASON,
            stop_reason: (),
            token_ids: (),
            prompt_logprobs: (),
            prompt_token_ids: (),
            routed_experts: (),
        })
        .collect();
    super::json(&Whole {
        id: &head.id,
        object: OBJECT,
        created: head.created,
        model: &head.model,
        choices,
        service_tier: (),
        system_fingerprint: &head.fingerprint,
        usage: Usage::full(counts),
        kv_transfer_params: (),
        ec_transfer_params: (),
        metrics: (),
    })
}
