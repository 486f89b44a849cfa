//! vLLM's `/v1/chat/completions`.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;

use super::call::{Call, Part, Said};
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
    token_ids: Option<Cow<'a, [u32]>>,
    routed_experts: (),
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Cow<'a, str>,
    refusal: (),
    annotations: (),
    audio: (),
    function_call: (),
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[ToolCall<'a>; 1]>,
    reasoning: (),
}

#[derive(Serialize)]
struct ToolCall<'a> {
    id: &'a str,
    r#type: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: String,
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

    /// What a token adds to a call.
    fn call_delta(&self, said: &Said, choice: usize, to: &mut Event) {
        let Some(call) = self.head.call.as_ref() else { return };
        match said.part {
            Part::Around => to.raw("{}"),
            Part::Name => {
                to.raw(r#"{"content":null,"tool_calls":[{"id":"#).text(call.id(choice));
                to.raw(r#","type":"function","index":0,"function":{"name":"#).text(&call.name).raw("}}]}")
            }
            Part::Arguments => {
                to.raw(r#"{"content":null,"tool_calls":[{"index":0,"function":{"arguments":"#);
                to.text(&said.text).raw("}}]}")
            }
        };
    }

    fn choice<'a>(&'a self, index: usize, choice: &'a Choice) -> WholeChoice<'a> {
        let tokens = choice.ids.len();
        let called = self.head.called(tokens);
        let (content, ids) = match &self.head.call {
            None => (Cow::from(&choice.text), Cow::from(&choice.ids)),
            Some(call) if called.is_some() => (Cow::from(""), call.token_ids(tokens).into()),
            // A parser makes nothing of the half.
            Some(call) => (call.text(tokens).into(), call.token_ids(tokens).into()),
        };
        WholeChoice {
            index,
            message: Message {
                role: ROLE,
                content,
                refusal: (),
                annotations: (),
                audio: (),
                function_call: (),
                tool_calls: called.map(|call| {
                    let function = Function { name: &call.name, arguments: call.arguments(tokens) };
                    [ToolCall { id: call.id(index), r#type: "function", function }]
                }),
                reasoning: (),
            },
            logprobs: (),
            finish_reason: self.reason(tokens, choice.stop.as_deref()),
            stop_reason: choice.stop.as_deref(),
            token_ids: self.head.token_ids.then_some(ids),
            routed_experts: (),
        }
    }

    /// Why a choice of so many tokens ended.
    fn reason(&self, tokens: usize, stop: Option<&str>) -> &'static str {
        match self.head.called(tokens) {
            Some(Call { named: true, .. }) => "stop",
            Some(_) => "tool_calls",
            None => finish_reason(stop),
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
        let said = self.head.said(token);
        // A stream waits for the name; ids of tokens are told all the same.
        if said.is_some_and(|said| said.part == Part::Around) && !token.last && !self.head.token_ids {
            return;
        }
        to.raw(&self.start).raw(r#"{"index":"#).number(token.choice as u64).raw(r#","delta":"#);
        match said {
            Some(said) => self.call_delta(said, token.choice, to),
            None => _ = to.raw(r#"{"content":"#).text(token.text).raw("}"),
        }
        to.raw(r#","logprobs":null,"finish_reason":"#);
        if token.last {
            to.json(&self.reason(token.position as usize + 1, token.stop)).raw(r#","stop_reason":"#).json(&token.stop);
        } else {
            to.raw("null");
        }
        to.raw(r#","token_ids":"#)
            .ids(self.head.token_ids.then_some(&[said.map_or(token.id, |said| said.id)]))
            .raw("}]");
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
            choices: choices.iter().enumerate().map(|(index, choice)| self.choice(index, choice)).collect(),
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
