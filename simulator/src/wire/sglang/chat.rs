//! `/v1/chat/completions`.

use bytes::Bytes;
use serde::Serialize;

use super::super::{Choice, Counts, DONE, Event, Head, Piece, Script, UsageMode, finish_reason, json};
use super::{Usage, Whole};

/// A chat's answer.
#[derive(Debug)]
pub struct Chat {
    head: Head,
    start: String,
    /// The stop of each choice that opened.
    stops: Vec<Option<String>>,
}

#[derive(Serialize)]
struct WholeChoice<'a> {
    index: usize,
    message: Message<'a>,
    logprobs: (),
    finish_reason: &'static str,
    matched_stop: Option<&'a str>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
    reasoning_content: (),
}

// === impl Chat ===

impl Chat {
    pub fn new(head: Head) -> Self {
        let start = head.chunk_start("chat.completion.chunk");
        Self { head, start, stops: Vec::new() }
    }

    fn delta(&self, choice: usize, to: &mut Event) {
        to.raw(&self.start).raw(r#"{"index":"#).number(choice as u64).raw(r#","delta":{"reasoning_content":null"#);
    }
}

impl Script for Chat {
    fn open(&mut self, choice: usize, _: Counts, to: &mut Event) {
        self.stops.resize(self.stops.len().max(choice + 1), None);
        self.delta(choice, to);
        to.raw(r#","role":"assistant","content":""},"logprobs":null,"finish_reason":null,"matched_stop":null}]}"#);
        to.raw("\n\n");
    }

    fn token(&mut self, token: &Piece<'_>, to: &mut Event) {
        if let Some(stop) = self.stops.get_mut(token.choice) {
            *stop = token.stop.map(str::to_owned);
        }
        self.delta(token.choice, to);
        to.raw(r#","content":"#).text(token.text);
        to.raw(r#"},"logprobs":null,"finish_reason":null,"matched_stop":null}]"#);
        if self.head.usage == UsageMode::Always {
            let completion = u64::from(token.position) + 1;
            let counts = Counts { prompt: self.head.prompt_tokens(token.choice), cached: 0, completion };
            to.raw(r#","usage":"#).json(&Usage::new(counts, false));
        }
        to.raw("}\n\n");
    }

    fn close(&mut self, counts: Counts, to: &mut Event) {
        for (choice, stop) in self.stops.iter().enumerate() {
            self.delta(choice, to);
            to.raw(r#"},"logprobs":null,"finish_reason":"#).json(&finish_reason(stop.as_deref()));
            to.raw(r#","matched_stop":"#).json(stop).raw("}]}\n\n");
        }
        if self.head.usage != UsageMode::Never {
            to.raw(&self.start).raw(r#"],"usage":"#).json(&Usage::new(counts, self.head.details)).raw("}\n\n");
        }
        to.raw(DONE);
    }

    fn fail(&mut self, message: &str, kind: &str, code: u16, to: &mut Event) {
        super::failure(message, kind, code, to);
    }

    fn whole(&mut self, choices: &[Choice], counts: Counts) -> Bytes {
        let choices = choices.iter().enumerate().map(|(index, choice)| WholeChoice {
            index,
            message: Message { role: "assistant", content: &choice.text, reasoning_content: () },
            logprobs: (),
            finish_reason: finish_reason(choice.stop.as_deref()),
            matched_stop: choice.stop.as_deref(),
        });
        json(&Whole::new(&self.head, "chat.completion", choices, counts))
    }
}
