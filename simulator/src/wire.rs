//! The bytes of vLLM 0.32's answers: key order, explicit nulls and all.
//!
//! vLLM writes streamed chunks with the fields that it set (also those set to null) and whole
//! answers with every field. A field of type `()` here is such an explicit null; `Option` is a key
//! that may be absent. Source: vLLM's `chat_completion/protocol.py`, `completion/protocol.py` and
//! `serving.py`, checked against captures.

pub mod chat;
pub mod completion;
pub mod models;

use bytes::Bytes;
use serde::Serialize;

/// What all the chunks of an answer have in common.
#[derive(Debug, Clone)]
pub struct Head {
    /// With its prefix: `chatcmpl-...` or `cmpl-...`.
    pub id: String,
    /// Unix time in seconds.
    pub created: u64,
    pub model: String,
    /// Goes on the last chunk of a stream, and on whole answers.
    pub fingerprint: String,
}

/// Token counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub prompt: u64,
    pub completion: u64,
}

/// One token of one choice.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'a> {
    /// The choice's index.
    pub index: usize,
    pub text: &'a str,
    /// Whether the choice ends here, as every simulated choice does: by length.
    pub last: bool,
    /// Counts so far, if asked for with every chunk.
    pub usage: Option<Counts>,
    /// Whether the fingerprint rides here, there being no usage chunk to carry it.
    pub fingerprint: bool,
}

/// The end of every stream, also of one that failed.
pub const DONE: &[u8] = b"data: [DONE]\n\n";

/// Every simulated answer ends because it has all the tokens that were asked for.
const FINISH_REASON: &str = "length";

#[derive(Debug, Serialize)]
struct Usage {
    prompt_tokens: u64,
    total_tokens: u64,
    completion_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_tokens_details: Option<()>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_tokens_details: Option<()>,
}

#[derive(Debug, Serialize)]
struct Chunk<'a, C> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [C],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_fingerprint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_token_ids: Option<()>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_text: Option<()>,
}

// === impl Usage ===

impl Usage {
    /// The three counts alone.
    fn bare(counts: Counts) -> Self {
        Self {
            prompt_tokens: counts.prompt,
            total_tokens: counts.prompt + counts.completion,
            completion_tokens: counts.completion,
            prompt_tokens_details: None,
            completion_tokens_details: None,
        }
    }

    /// As in whole answers: every field, the details null.
    fn full(counts: Counts) -> Self {
        Self { prompt_tokens_details: Some(()), completion_tokens_details: Some(()), ..Self::bare(counts) }
    }
}

// === impl Chunk ===

impl<'a, C: Serialize> Chunk<'a, C> {
    fn new(head: &'a Head, object: &'static str, choices: &'a [C]) -> Self {
        Self {
            id: &head.id,
            object,
            created: head.created,
            model: &head.model,
            choices,
            usage: None,
            system_fingerprint: None,
            prompt_token_ids: None,
            prompt_text: None,
        }
    }

    /// The last chunk of a stream that was asked for usage.
    fn with_totals(self, counts: Counts, head: &'a Head) -> Self {
        Self { usage: Some(Usage::bare(counts)), system_fingerprint: Some(&head.fingerprint), ..self }
    }

    /// As one event of a stream.
    fn event(&self) -> Bytes {
        /// Longer than most events, so that one allocation does.
        const USUAL_EVENT_BYTES: usize = 384;
        let mut event = Vec::with_capacity(USUAL_EVENT_BYTES);
        event.extend_from_slice(b"data: ");
        write(&mut event, self);
        event.extend_from_slice(b"\n\n");
        Bytes::from(event)
    }
}

/// `value` as a JSON body.
pub fn json(value: &impl Serialize) -> Bytes {
    let mut body = Vec::new();
    write(&mut body, value);
    Bytes::from(body)
}

fn write(into: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(into, value).expect("structs of strings and numbers serialize to memory");
}

#[cfg(test)]
mod tests;
