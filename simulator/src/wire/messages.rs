//! vLLM's `/v1/messages`, in Anthropic's shapes.

use bytes::Bytes;
use serde::Serialize;

use super::{Choice, Counts, Event, Head, Piece, Script};

/// The answer to a message.
#[derive(Debug)]
pub struct Messages {
    head: Head,
    /// The text that ended it; none: its length.
    stop: Option<String>,
}

#[derive(Serialize)]
struct Whole<'a> {
    id: &'a str,
    r#type: &'static str,
    role: &'static str,
    content: [Block<'a>; 1],
    model: &'a str,
    stop_reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_sequence: Option<&'a str>,
    usage: Usage,
}

#[derive(Serialize)]
struct Block<'a> {
    r#type: &'static str,
    text: &'a str,
}

/// Without `--enable-prompt-tokens-details` nothing is known of the cache.
#[derive(Serialize)]
struct Usage {
    input_tokens: u64,
    output_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_creation_input_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_read_input_tokens: Option<u64>,
}

const DELTA: &str = "event: content_block_delta\n\
    data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":";

/// The event for a failure in mid-stream; nothing comes behind it.
pub fn failure(message: &str, to: &mut Event) {
    to.raw("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"internal_error\",\"message\":");
    to.text(message).raw("}}\n\n");
}

// === impl Messages ===

impl Messages {
    pub fn new(head: Head) -> Self {
        Self { head, stop: None }
    }

    fn stop_reason(&self) -> &'static str {
        if self.stop.is_some() { "stop_sequence" } else { "max_tokens" }
    }

    /// vLLM takes cached tokens out of the input's.
    fn usage(&self, counts: Counts) -> Usage {
        let cached = if self.head.details { counts.cached } else { 0 };
        Usage {
            input_tokens: counts.prompt.saturating_sub(cached),
            output_tokens: counts.completion,
            cache_creation_input_tokens: self.head.details.then_some(0),
            cache_read_input_tokens: self.head.details.then_some(cached),
        }
    }
}

impl Script for Messages {
    fn open(&mut self, _: usize, counts: Counts, to: &mut Event) {
        to.raw("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":").text(&self.head.id);
        to.raw(r#","type":"message","role":"assistant","content":[],"model":"#).text(&self.head.model);
        to.raw(r#","stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":"#).number(counts.prompt);
        to.raw(",\"output_tokens\":0}}}\n\n");
        to.raw("event: content_block_start\ndata: {\"type\":\"content_block_start\",");
        to.raw("\"content_block\":{\"type\":\"text\",\"text\":\"\"},\"index\":0}\n\n");
    }

    fn token(&mut self, token: &Piece<'_>, to: &mut Event) {
        self.stop = token.stop.map(str::to_owned);
        to.raw(DELTA).text(token.text).raw("},\"index\":0}\n\n");
    }

    fn close(&mut self, counts: Counts, to: &mut Event) {
        to.raw("event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n");
        to.raw("event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"");
        to.raw(self.stop_reason()).raw("\",\"stop_sequence\":").json(&self.stop);
        to.raw("},\"usage\":").json(&self.usage(counts)).raw("}\n\n");
        to.raw("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
    }

    fn fail(&mut self, message: &str, _: &str, _: u16, to: &mut Event) {
        failure(message, to);
    }

    fn whole(&mut self, choices: &[Choice], counts: Counts) -> Bytes {
        self.stop = choices.first().and_then(|choice| choice.stop.clone());
        super::json(&Whole {
            id: &self.head.id,
            r#type: "message",
            role: "assistant",
            content: [Block { r#type: "text", text: choices.first().map_or("", |choice| &choice.text) }],
            model: &self.head.model,
            stop_reason: self.stop_reason(),
            stop_sequence: self.stop.as_deref(),
            usage: self.usage(counts),
        })
    }
}
