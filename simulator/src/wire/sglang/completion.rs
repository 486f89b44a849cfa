//! `/v1/completions`.

use bytes::Bytes;
use serde::Serialize;

use super::super::{Choice, Counts, DONE, Event, Head, Piece, Script, UsageMode, finish_reason, json};
use super::{Usage, Whole};

/// Chunks and whole answers share it.
const OBJECT: &str = "text_completion";

/// A completion's answer.
#[derive(Debug)]
pub struct Completion {
    head: Head,
    start: String,
}

#[derive(Serialize)]
struct WholeChoice<'a> {
    index: usize,
    text: &'a str,
    logprobs: (),
    finish_reason: &'static str,
    matched_stop: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_ids: Option<&'a [u32]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_token_ids: Option<&'a [u32]>,
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
        to.raw(&self.start).raw(r#"{"index":"#).number(token.choice as u64);
        to.raw(r#","text":"#).text(token.text).raw(r#","logprobs":null,"finish_reason":"#);
        to.json(&token.last.then(|| finish_reason(token.stop)));
        to.raw(r#","matched_stop":"#).json(&token.stop);
        if self.head.token_ids {
            to.raw(r#","token_ids":"#).ids(Some(&[token.id]));
            if token.position == 0 {
                to.raw(r#","prompt_token_ids":"#).ids(self.head.prompt_ids(token.choice));
            }
        }
        to.raw(r#"}],"usage":"#);
        if self.head.usage == UsageMode::Always {
            let completion = u64::from(token.position) + 1;
            let counts = Counts { prompt: self.head.prompt_tokens(token.choice), cached: 0, completion };
            to.json(&Usage::new(counts, false));
        } else {
            to.raw("null");
        }
        to.raw("}\n\n");
    }

    fn close(&mut self, counts: Counts, to: &mut Event) {
        if self.head.usage != UsageMode::Never {
            to.raw(&self.start).raw(r#"],"usage":"#).json(&Usage::new(counts, self.head.details)).raw("}\n\n");
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
            matched_stop: choice.stop.as_deref(),
            token_ids: head.token_ids.then_some(&choice.ids),
            prompt_token_ids: head.prompt_ids(index),
        });
        json(&Whole::new(head, OBJECT, choices, counts))
    }
}
