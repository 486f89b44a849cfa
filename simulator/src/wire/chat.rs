//! vLLM's `/v1/chat/completions`.

use bytes::Bytes;
use serde::Serialize;

use super::{Choice, Counts, DONE, Event, Head, Piece, Script, Usage, UsageMode, finish_reason};

const ROLE: &str = "assistant";

/// A chat's answer.
#[derive(Debug)]
pub struct Chat {
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
    prompt_logprobs: (),
    prompt_token_ids: Option<&'a [u32]>,
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
    stop_reason: Option<&'a str>,
    token_ids: Option<&'a [u32]>,
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

// === impl Chat ===

impl Chat {
    pub fn new(head: Head) -> Self {
        let start = head.chunk_start("chat.completion.chunk");
        Self { head, start }
    }

    /// Counts of one choice, if the stream wants them with every event.
    fn usage_so_far(&self, choice: usize, completion: u64, to: &mut Event) {
        if self.head.usage == UsageMode::Always {
            super::usage_start(self.head.prompt_tokens(choice), completion, to);
            to.raw(r#","completion_tokens_details":null}"#);
        }
    }
}

impl Script for Chat {
    fn open(&mut self, choice: usize, _: Counts, to: &mut Event) {
        to.raw(&self.start).raw(r#"{"index":"#).number(choice as u64);
        to.raw(r#","delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]"#);
        self.usage_so_far(choice, 0, to);
        to.raw(r#","prompt_token_ids":"#).ids(self.head.prompt_ids(choice)).raw(",\"prompt_text\":null}\n\n");
    }

    fn token(&mut self, token: &Piece<'_>, to: &mut Event) {
        to.raw(&self.start).raw(r#"{"index":"#).number(token.choice as u64);
        to.raw(r#","delta":{"content":"#).text(token.text).raw(r#"},"logprobs":null,"finish_reason":"#);
        if token.last {
            to.json(&finish_reason(token.stop)).raw(r#","stop_reason":"#).json(&token.stop);
        } else {
            to.raw("null");
        }
        to.raw(r#","token_ids":"#).ids(self.head.token_ids.then_some(&[token.id])).raw("}]");
        self.usage_so_far(token.choice, u64::from(token.position) + 1, to);
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
                to.raw(r#","prompt_tokens_details":{"cached_tokens":"#).number(counts.cached);
                to.raw(r#","created_cache_tokens":0}"#);
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
        super::json(&Whole {
            id: &head.id,
            object: "chat.completion",
            created: head.created,
            model: &head.model,
            choices: choices.iter().enumerate().map(|(index, choice)| WholeChoice::new(index, choice, head)).collect(),
            service_tier: (),
            system_fingerprint: &head.fingerprint,
            usage: Usage::new(counts, head.details, Some(0)),
            prompt_logprobs: (),
            prompt_token_ids: head.prompt_ids(0),
            prompt_text: (),
            kv_transfer_params: (),
            ec_transfer_params: (),
            metrics: (),
        })
    }
}

// === impl WholeChoice ===

impl<'a> WholeChoice<'a> {
    fn new(index: usize, choice: &'a Choice, head: &Head) -> Self {
        Self {
            index,
            message: Message {
                role: ROLE,
                content: &choice.text,
                refusal: (),
                annotations: (),
                audio: (),
                function_call: (),
                reasoning: (),
            },
            logprobs: (),
            finish_reason: finish_reason(choice.stop.as_deref()),
            stop_reason: choice.stop.as_deref(),
            token_ids: head.token_ids.then_some(&choice.ids),
            routed_experts: (),
        }
    }
}
