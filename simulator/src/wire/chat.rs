//! `/v1/chat/completions`.

use bytes::Bytes;
use serde::Serialize;

use super::{Chunk, Counts, FINISH_REASON, Head, Piece, Usage};

const CHUNK: &str = "chat.completion.chunk";
const ROLE: &str = "assistant";

#[derive(Serialize)]
struct Opening {
    index: usize,
    delta: OpeningDelta,
    logprobs: (),
    finish_reason: (),
}

#[derive(Serialize)]
struct OpeningDelta {
    role: &'static str,
    content: &'static str,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: usize,
    delta: Delta<'a>,
    logprobs: (),
    finish_reason: Option<&'static str>,
    /// Only where the choice ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_reason: Option<()>,
    token_ids: (),
}

#[derive(Serialize)]
struct Delta<'a> {
    content: &'a str,
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
    prompt_logprobs: (),
    prompt_token_ids: (),
    prompt_text: (),
    kv_transfer_params: (),
    ec_transfer_params: (),
    metrics: (),
}

#[derive(Serialize)]
struct WholeChoice<'a> {
    index: usize,
    message: Message<'a>,
    logprobs: (),
    finish_reason: &'static str,
    stop_reason: (),
    token_ids: (),
    routed_experts: (),
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
    refusal: (),
    annotations: (),
    audio: (),
    function_call: (),
    reasoning: (),
}

/// A choice's first event, which says who speaks; `usage` if asked for with every chunk.
pub fn opening(head: &Head, index: usize, usage: Option<Counts>) -> Bytes {
    let delta = OpeningDelta { role: ROLE, content: "" };
    let choices = [Opening { index, delta, logprobs: (), finish_reason: () }];
    let mut chunk = Chunk::new(head, CHUNK, &choices);
    chunk.usage = usage.map(chunk_usage);
    chunk.prompt_token_ids = Some(());
    chunk.prompt_text = Some(());
    chunk.event()
}

/// One token's event.
pub fn piece(head: &Head, piece: &Piece<'_>) -> Bytes {
    let choices = [Choice {
        index: piece.index,
        delta: Delta { content: piece.text },
        logprobs: (),
        finish_reason: piece.last.then_some(FINISH_REASON),
        stop_reason: piece.last.then_some(()),
        token_ids: (),
    }];
    let mut chunk = Chunk::new(head, CHUNK, &choices);
    chunk.usage = piece.usage.map(chunk_usage);
    chunk.system_fingerprint = piece.fingerprint.then_some(head.fingerprint.as_str());
    chunk.event()
}

/// The event with the counts of the whole stream.
pub fn totals(head: &Head, counts: Counts) -> Bytes {
    Chunk::<()>::new(head, CHUNK, &[]).with_totals(counts, head).event()
}

/// The whole answer as one body.
pub fn whole(head: &Head, texts: &[String], counts: Counts) -> Bytes {
    let choices = texts
        .iter()
        .enumerate()
        .map(|(index, text)| WholeChoice {
            index,
            message: Message {
                role: ROLE,
                content: text,
                refusal: (),
                annotations: (),
                audio: (),
                function_call: (),
                reasoning: (),
            },
            logprobs: (),
            finish_reason: FINISH_REASON,
            stop_reason: (),
            token_ids: (),
            routed_experts: (),
        })
        .collect();
    super::json(&Whole {
        id: &head.id,
        object: "chat.completion",
        created: head.created,
        model: &head.model,
        choices,
        service_tier: (),
        system_fingerprint: &head.fingerprint,
        usage: Usage::full(counts),
        prompt_logprobs: (),
        prompt_token_ids: (),
        prompt_text: (),
        kv_transfer_params: (),
        ec_transfer_params: (),
        metrics: (),
    })
}

/// Chat chunks name the completion's details, and no others.
fn chunk_usage(counts: Counts) -> Usage {
    Usage { completion_tokens_details: Some(()), ..Usage::bare(counts) }
}
