//! The bytes of the engines' answers: key order, explicit nulls and all.
//!
//! vLLM writes streamed chunks with the fields that it set (also those set to null) and whole
//! answers with every field. A field of type `()` here is such an explicit null; `Option` is a key
//! that may be absent. Source: captures of a vLLM 0.32.0, and where a capture does not show it, its
//! sources; `sglang` holds what SGLang 0.5.23's sources say.
//!
//! A [`Script`] is one way to tell an answer. What all its events have in common is written once,
//! when the stream begins.

pub mod audio;
pub mod call;
pub mod chat;
pub mod completion;
pub mod embeddings;
mod event;
pub mod messages;
pub mod metrics;
pub mod models;
mod page;
pub mod responses;
pub mod sglang;

use std::fmt::Debug;

use bytes::Bytes;
use serde::{Serialize, Serializer};

use call::{Call, Said};
pub use event::Event;

/// How one generation is told, whole or event by event.
///
/// A stream calls `begin`, then `open` for each choice, `token` for each token, and in the end either
/// `close` or `fail`. None of them is asked to write anything.
pub trait Script: Debug + Send {
    /// Before the engine has anything.
    fn begin(&mut self, _to: &mut Event) {}

    /// The first token is there; `counts` are those of the prompts.
    fn open(&mut self, _choice: usize, _counts: Counts, _to: &mut Event) {}

    /// One token.
    fn token(&mut self, token: &Piece<'_>, to: &mut Event);

    /// The end of a stream that went well.
    fn close(&mut self, counts: Counts, to: &mut Event);

    /// The end of a stream that did not; `code` is the status that a whole answer would have.
    fn fail(&mut self, message: &str, kind: &str, code: u16, to: &mut Event);

    /// The answer as one body.
    fn whole(&mut self, choices: &[Choice], counts: Counts) -> Bytes;
}

/// What is known of an answer before its first token.
#[derive(Debug, Clone)]
pub struct Head {
    /// With its prefix: `chatcmpl-...` or `cmpl-...`.
    pub id: String,
    /// Unix time in seconds.
    pub created: u64,
    pub model: String,
    /// Goes on the last chunk of a stream, and on whole answers.
    pub fingerprint: String,
    pub usage: UsageMode,
    /// Whether usage says how many prompt tokens were cached.
    pub details: bool,
    /// Whether the ids of tokens are told.
    pub token_ids: bool,
    pub prompts: Vec<PromptFacts>,
    /// Choices of each prompt.
    pub copies: usize,
    /// What every choice says, if it is a tool call.
    pub call: Option<Call>,
}

/// What an answer may tell of a prompt.
#[derive(Debug, Clone)]
pub struct PromptFacts {
    /// Length in tokens.
    pub tokens: u64,
    /// Its tokens, if the answer is to tell them.
    pub ids: Option<Vec<u32>>,
}

/// When a stream says how many tokens it used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageMode {
    Never,
    /// In one event of its own, the last before `[DONE]`.
    AtEnd,
    /// With every event, and at the end too.
    Always,
}

/// Token counts of all prompts and choices together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub prompt: u64,
    /// Of the prompt's, those that the engine had in its cache.
    pub cached: u64,
    pub completion: u64,
}

/// One token of one choice.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'a> {
    /// The choice's index.
    pub choice: usize,
    /// From 0.
    pub position: u32,
    pub text: &'a str,
    pub id: u32,
    /// Whether the choice ends here.
    pub last: bool,
    /// The text that ended it; none: its length.
    pub stop: Option<&'a str>,
}

/// One choice of a whole answer.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    pub text: String,
    pub ids: Vec<u32>,
    /// The text that ended it; none: its length.
    pub stop: Option<String>,
}

/// The end of every stream of the OpenAI kind, also of one that failed.
pub const DONE: &str = "data: [DONE]\n\n";

/// Why a choice ended, in the words of both engines.
fn finish_reason(stop: Option<&str>) -> &'static str {
    if stop.is_some() { "stop" } else { "length" }
}

#[derive(Debug, Serialize)]
struct Usage {
    prompt_tokens: u64,
    total_tokens: u64,
    completion_tokens: u64,
    prompt_tokens_details: Option<Details>,
    completion_tokens_details: (),
}

#[derive(Debug, Serialize)]
struct Details {
    cached_tokens: u64,
    /// Chats say 0, completions null.
    created_cache_tokens: Option<u64>,
    multimodal_tokens: (),
}

// === impl Head ===

impl Head {
    /// The prompt that a choice answers: choices are numbered prompt by prompt, equally many of each.
    fn prompt_of(&self, choice: usize) -> Option<&PromptFacts> {
        self.prompts.get(choice / self.copies.max(1))
    }

    /// Tokens of that prompt.
    fn prompt_tokens(&self, choice: usize) -> u64 {
        self.prompt_of(choice).map_or(0, |prompt| prompt.tokens)
    }

    /// Ids of that prompt's tokens, if they are to be told.
    fn prompt_ids(&self, choice: usize) -> Option<&[u32]> {
        self.prompt_of(choice)?.ids.as_deref()
    }

    /// The token of the call at that place, if the answer is one.
    fn said(&self, token: &Piece<'_>) -> Option<&Said> {
        self.call.as_ref()?.said(token.position)
    }

    /// The whole call, if so many tokens say it.
    fn called(&self, tokens: usize) -> Option<&Call> {
        self.call.as_ref().filter(|call| call.is_whole(tokens))
    }

    /// The start of every chunk, up to its choices.
    fn chunk_start(&self, object: &str) -> String {
        let Self { id, created, model, .. } = self;
        let (id, model) = (quoted(id), quoted(model));
        format!(r#"data: {{"id":{id},"object":"{object}","created":{created},"model":{model},"choices":["#)
    }
}

// === impl Usage ===

impl Usage {
    /// As in whole answers: every field.
    fn new(counts: Counts, details: bool, created: Option<u64>) -> Self {
        Self {
            prompt_tokens: counts.prompt,
            total_tokens: counts.prompt + counts.completion,
            completion_tokens: counts.completion,
            prompt_tokens_details: details.then_some(Details {
                cached_tokens: counts.cached,
                created_cache_tokens: created,
                multimodal_tokens: (),
            }),
            completion_tokens_details: (),
        }
    }
}

/// `,"usage":{...` up to its closing brace.
fn usage_start(prompt: u64, completion: u64, to: &mut Event) {
    to.raw(r#","usage":{"prompt_tokens":"#).number(prompt);
    to.raw(r#","total_tokens":"#).number(prompt + completion);
    to.raw(r#","completion_tokens":"#).number(completion);
}

/// vLLM's event for a failure in mid-stream, spaced as Python's `json.dumps` does it, and the end.
pub fn failure(message: &str, kind: &str, code: u16, to: &mut Event) {
    to.raw(r#"data: {"error": {"message": "#).text(message).raw(r#", "type": "#).text(kind);
    to.raw(r#", "param": null, "code": "#).number(code.into()).raw("}}\n\n").raw(DONE);
}

/// A JSON object whose keys keep their order, which engines' clients can see.
#[derive(Debug)]
pub struct Object<const N: usize>(pub [(&'static str, serde_json::Value); N]);

// === impl Object ===

impl<const N: usize> Serialize for Object<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
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
