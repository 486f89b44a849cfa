//! SGLang's shapes, read from the sources of 0.5.23 (`entrypoints/openai/protocol.py`,
//! `sse_utils.py`, `serving_*.py`, `managers/tokenizer_manager.py`); nothing here was captured.

pub mod chat;
pub mod completion;
pub mod generate;
pub mod metrics;

use serde::Serialize;

use super::{Counts, DONE, Event, Head};

#[derive(Debug, Serialize)]
struct Usage {
    prompt_tokens: u64,
    total_tokens: u64,
    completion_tokens: u64,
    /// With `--enable-cache-report`, which is this simulator's `--enable-prompt-tokens-details`.
    prompt_tokens_details: Option<Details>,
    reasoning_tokens: u64,
    completion_tokens_details: (),
}

#[derive(Debug, Serialize)]
struct Details {
    cached_tokens: u64,
}

/// A whole answer of the OpenAI kind: completions and chats differ in their choices.
#[derive(Debug, Serialize)]
struct Whole<'a, C> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: Vec<C>,
    usage: Usage,
    metadata: Metadata,
}

/// SGLang's `MetaInfo` knows no other release of the weights.
const WEIGHT_VERSION: &str = "default";

#[derive(Debug, Serialize)]
struct Metadata {
    weight_version: &'static str,
}

// === impl Whole ===

impl<'a, C> Whole<'a, C> {
    fn new(head: &'a Head, object: &'static str, choices: impl Iterator<Item = C>, counts: Counts) -> Self {
        Self {
            id: &head.id,
            object,
            created: head.created,
            model: &head.model,
            choices: choices.collect(),
            usage: Usage::new(counts, head.details),
            metadata: Metadata { weight_version: WEIGHT_VERSION },
        }
    }
}

// === impl Usage ===

impl Usage {
    fn new(counts: Counts, details: bool) -> Self {
        Self {
            prompt_tokens: counts.prompt,
            total_tokens: counts.prompt + counts.completion,
            completion_tokens: counts.completion,
            prompt_tokens_details: details.then_some(Details { cached_tokens: counts.cached }),
            reasoning_tokens: 0,
            completion_tokens_details: (),
        }
    }
}

/// SGLang's event for a failure in mid-stream, spaced as Python's `json.dumps` does it, and the end.
fn failure(message: &str, kind: &str, code: u16, to: &mut Event) {
    to.raw(r#"data: {"error": {"object": "error", "message": "#).text(message).raw(r#", "type": "#).text(kind);
    to.raw(r#", "param": null, "code": "#).number(code.into()).raw("}}\n\n").raw(DONE);
}
