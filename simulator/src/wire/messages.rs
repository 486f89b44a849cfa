//! vLLM's `/v1/messages`, in Anthropic's shapes.

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};

use super::call::{Call, Part};
use super::{Choice, Counts, Event, Head, Piece, Script};

/// The answer to a message.
#[derive(Debug)]
pub struct Messages {
    head: Head,
    /// The text that ended it; none: its length.
    stop: Option<String>,
    /// Tokens so far.
    tokens: usize,
    /// Whether a block of content was begun and not ended.
    in_block: bool,
}

#[derive(Serialize)]
struct Whole<'a> {
    id: &'a str,
    r#type: &'static str,
    role: &'static str,
    content: [Block; 1],
    model: &'a str,
    stop_reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_sequence: Option<&'a str>,
    usage: Usage,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text { text: String },
    ToolUse { id: String, name: String, input: Value },
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
    data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":";

/// The event for a failure in mid-stream; nothing comes behind it.
pub fn failure(message: &str, to: &mut Event) {
    to.raw("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"internal_error\",\"message\":");
    to.text(message).raw("}}\n\n");
}

// === impl Messages ===

impl Messages {
    pub fn new(head: Head) -> Self {
        Self { head, stop: None, tokens: 0, in_block: false }
    }

    fn stop_reason(&self) -> &'static str {
        match (self.head.called(self.tokens), &self.stop) {
            (Some(_), _) => "tool_use",
            (None, Some(_)) => "stop_sequence",
            (None, None) => "max_tokens",
        }
    }

    fn content(&self, text: &str) -> Block {
        match &self.head.call {
            None => Block::Text { text: text.to_owned() },
            Some(call) => self.head.called(self.tokens).map_or_else(
                // A parser makes nothing of the half.
                || Block::Text { text: call.text(self.tokens) },
                |call| tool_use(call, serde_json::from_str(&call.arguments(self.tokens)).unwrap_or_default()),
            ),
        }
    }

    fn start_block(&mut self, block: &Block, to: &mut Event) {
        to.raw("event: content_block_start\ndata: {\"type\":\"content_block_start\",\"content_block\":");
        to.json(block).raw(",\"index\":0}\n\n");
        self.in_block = true;
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
        if self.head.call.is_none() {
            self.start_block(&Block::Text { text: String::new() }, to);
        }
    }

    fn token(&mut self, token: &Piece<'_>, to: &mut Event) {
        self.stop = token.stop.map(str::to_owned);
        self.tokens = token.position as usize + 1;
        match (&self.head.call, self.head.said(token)) {
            (Some(call), Some(said)) => match said.part {
                Part::Around => {}
                Part::Name => self.start_block(&tool_use(call, Value::Object(Map::new())), to),
                Part::Arguments => {
                    to.raw(DELTA).raw(r#""input_json_delta","partial_json":"#).text(&said.text);
                    to.raw("},\"index\":0}\n\n");
                }
            },
            _ => _ = to.raw(DELTA).raw(r#""text_delta","text":"#).text(token.text).raw("},\"index\":0}\n\n"),
        }
    }

    fn close(&mut self, counts: Counts, to: &mut Event) {
        if self.in_block {
            to.raw("event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n");
        }
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
        self.tokens = choices.first().map_or(0, |choice| choice.ids.len());
        super::json(&Whole {
            id: &self.head.id,
            r#type: "message",
            role: "assistant",
            content: [self.content(choices.first().map_or("", |choice| &choice.text))],
            model: &self.head.model,
            stop_reason: self.stop_reason(),
            stop_sequence: self.stop.as_deref(),
            usage: self.usage(counts),
        })
    }
}

fn tool_use(call: &Call, input: Value) -> Block {
    Block::ToolUse { id: call.id(0).to_owned(), name: call.name.clone(), input }
}
