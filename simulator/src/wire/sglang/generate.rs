//! `/generate`, SGLang's own path. Each event of its streams repeats all the text so far.

use bytes::Bytes;
use serde::Serialize;

use super::super::{Choice, Counts, DONE, Event, Head, Piece, Script, json};
use super::WEIGHT_VERSION;

/// The answer to one prompt, or to a batch of them.
#[derive(Debug)]
pub struct Generate {
    head: Head,
    /// Whether the request had a list of prompts or wanted several copies, and so wants a list back.
    batch: bool,
    cached: u64,
    so_far: Vec<Choice>,
}

#[derive(Serialize)]
struct Output<'a> {
    text: &'a str,
    output_ids: &'a [u32],
    meta_info: MetaInfo<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
}

#[derive(Serialize)]
struct MetaInfo<'a> {
    id: &'a str,
    finish_reason: Option<FinishReason<'a>>,
    prompt_tokens: u64,
    weight_version: &'static str,
    num_retractions: u64,
    reasoning_tokens: u64,
    completion_tokens: u64,
    cached_tokens: u64,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum FinishReason<'a> {
    Length { length: usize },
    Stop { matched: &'a str },
}

// === impl Generate ===

impl Generate {
    pub fn new(head: Head, batch: bool) -> Self {
        Self { head, batch, cached: 0, so_far: Vec::new() }
    }

    fn output<'a>(&'a self, index: usize, choice: &'a Choice, last: bool, in_batch: bool) -> Output<'a> {
        let length = choice.ids.len();
        Output {
            text: &choice.text,
            output_ids: &choice.ids,
            meta_info: MetaInfo {
                id: &self.head.id,
                finish_reason: last.then_some(match &choice.stop {
                    Some(matched) => FinishReason::Stop { matched },
                    None => FinishReason::Length { length },
                }),
                prompt_tokens: self.head.prompt_tokens(index),
                weight_version: WEIGHT_VERSION,
                num_retractions: 0,
                reasoning_tokens: 0,
                completion_tokens: length as u64,
                cached_tokens: self.cached,
            },
            index: in_batch.then_some(index),
        }
    }
}

impl Script for Generate {
    fn open(&mut self, choice: usize, counts: Counts, _: &mut Event) {
        self.cached = counts.cached;
        if self.so_far.len() <= choice {
            self.so_far.resize_with(choice + 1, Choice::default);
        }
    }

    fn token(&mut self, token: &Piece<'_>, to: &mut Event) {
        let Some(choice) = self.so_far.get_mut(token.choice) else { return };
        choice.text.push_str(token.text);
        choice.ids.push(token.id);
        choice.stop = token.stop.map(str::to_owned);
        let Some(choice) = self.so_far.get(token.choice) else { return };
        to.raw("data: ").json(&self.output(token.choice, choice, token.last, self.batch)).raw("\n\n");
    }

    fn close(&mut self, _: Counts, to: &mut Event) {
        to.raw(DONE);
    }

    fn fail(&mut self, message: &str, kind: &str, code: u16, to: &mut Event) {
        to.raw(r#"data: {"error":{"message":"#).text(message).raw(r#","type":"#).text(kind);
        to.raw(r#","code":"#).number(code.into()).raw(",\"retryable\":false}}\n\n").raw(DONE);
    }

    fn whole(&mut self, choices: &[Choice], counts: Counts) -> Bytes {
        self.cached = counts.cached;
        let outputs: Vec<_> =
            choices.iter().enumerate().map(|(index, choice)| self.output(index, choice, true, false)).collect();
        match outputs.first() {
            Some(only) if !self.batch => json(only),
            _ => json(&outputs),
        }
    }
}
