//! vLLM's `/v1/completions`.

use bytes::Bytes;
use serde::Serialize;

use super::{Choice, Counts, DONE, Event, Head, Piece, Script, Usage, UsageMode, finish_reason};

/// Chunks and whole answers share it.
const OBJECT: &str = "text_completion";

/// A completion's answer.
#[derive(Debug)]
pub struct Completion {
    head: Head,
    start: String,
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
    stop_reason: Option<&'a str>,
    token_ids: Option<&'a [u32]>,
    prompt_logprobs: (),
    prompt_token_ids: Option<&'a [u32]>,
    routed_experts: (),
}

// === impl Completion ===

impl Completion {
    pub fn new(head: Head) -> Self {
        let start = head.chunk_start(OBJECT);
        Self { head, start }
    }
}

impl Script for Completion {
    fn token(&mut self, token: &Piece<'_>, to: &mut Event) {
        let first_ids = (token.position == 0).then(|| self.head.prompt_ids(token.choice)).flatten();
        to.raw(&self.start).raw(r#"{"index":"#).number(token.choice as u64);
        to.raw(r#","text":"#).text(token.text).raw(r#","logprobs":null,"finish_reason":"#);
        to.json(&token.last.then(|| finish_reason(token.stop)));
        to.raw(r#","stop_reason":"#).json(&token.stop).raw(r#","prompt_token_ids":"#).ids(first_ids);
        to.raw(r#","token_ids":"#).ids(self.head.token_ids.then_some(&[token.id])).raw("}]");
        if self.head.usage == UsageMode::Always {
            super::usage_start(self.head.prompt_tokens(token.choice), u64::from(token.position) + 1, to);
            to.raw("}");
        }
        if token.last && self.head.usage == UsageMode::Never {
            to.raw(r#","system_fingerprint":"#).text(&self.head.fingerprint);
        }
        to.raw("}\n\n");
    }

    fn close(&mut self, counts: Counts, to: &mut Event) {
        if self.head.usage != UsageMode::Never {
            to.raw(&self.start).raw("]");
            super::usage_start(counts.prompt, counts.completion, to);
            if self.head.details {
                to.raw(r#","prompt_tokens_details":{"cached_tokens":"#).number(counts.cached).raw("}");
            }
            to.raw(r#"},"system_fingerprint":"#).text(&self.head.fingerprint).raw("}\n\n");
        }
        to.raw(DONE);
    }

    fn fail(&mut self, message: &str, kind: &str, code: u16, to: &mut Event) {
        super::failure(message, kind, code, to);
    }

    fn whole(&mut self, choices: &[Choice], counts: Counts) -> Bytes {
        let head = &self.head;
        let choices = choices.iter().enumerate().map(|(index, choice)| WholeChoice {
            index,
            text: &choice.text,
            logprobs: (),
            finish_reason: finish_reason(choice.stop.as_deref()),
            stop_reason: choice.stop.as_deref(),
            token_ids: head.token_ids.then_some(&choice.ids),
            prompt_logprobs: (),
            prompt_token_ids: head.prompt_ids(index),
            routed_experts: (),
        });
        super::json(&Whole {
            id: &head.id,
            object: OBJECT,
            created: head.created,
            model: &head.model,
            choices: choices.collect(),
            service_tier: (),
            system_fingerprint: &head.fingerprint,
            usage: Usage::new(counts, head.details, None),
            kv_transfer_params: (),
            ec_transfer_params: (),
            metrics: (),
        })
    }
}
