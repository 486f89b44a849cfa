//! vLLM's `/v1/responses`: one answer, many kinds of events.

use bytes::Bytes;
use serde::Serialize;

use super::{Choice, Counts, Event, Head, Piece, Script};

/// The answer to a request for a response.
#[derive(Debug)]
pub struct Responses {
    head: Head,
    echo: Echo,
    /// Of the one message in the output.
    item: String,
    /// Number of the next event.
    sequence: u64,
    /// What every delta has in common, before and after its text.
    delta: (String, String),
    text: String,
}

/// What an answer repeats of its request.
#[derive(Debug, Clone)]
pub struct Echo {
    pub instructions: Option<String>,
    pub temperature: f64,
    pub top_p: f64,
    pub max_output_tokens: u32,
}

#[derive(Serialize)]
struct Whole<'a> {
    id: &'a str,
    created_at: u64,
    incomplete_details: Option<Reason>,
    instructions: Option<&'a str>,
    metadata: (),
    model: &'a str,
    object: &'static str,
    output: Vec<Item<'a>>,
    parallel_tool_calls: bool,
    temperature: f64,
    tool_choice: &'static str,
    tools: [(); 0],
    top_p: f64,
    background: bool,
    max_output_tokens: u32,
    max_tool_calls: (),
    previous_response_id: (),
    prompt: (),
    reasoning: (),
    service_tier: &'static str,
    status: &'static str,
    text: (),
    top_logprobs: (),
    truncation: &'static str,
    usage: Option<Usage>,
    user: (),
    presence_penalty: f64,
    frequency_penalty: f64,
    kv_transfer_params: (),
    ec_transfer_params: (),
    input_messages: (),
    output_messages: (),
}

#[derive(Serialize)]
struct Reason {
    reason: &'static str,
}

#[derive(Serialize)]
struct Item<'a> {
    id: &'a str,
    content: Vec<Part<'a>>,
    role: &'static str,
    status: &'static str,
    r#type: &'static str,
    phase: (),
}

#[derive(Serialize)]
struct Part<'a> {
    annotations: [(); 0],
    text: &'a str,
    r#type: &'static str,
    logprobs: Option<[(); 0]>,
}

#[derive(Serialize)]
struct Usage {
    input_tokens: u64,
    input_tokens_details: InputDetails,
    output_tokens: u64,
    output_tokens_details: OutputDetails,
    total_tokens: u64,
}

#[derive(Serialize)]
struct InputDetails {
    cached_tokens: u64,
    cache_write_tokens: u64,
    input_tokens_per_turn: [(); 0],
    cached_tokens_per_turn: [(); 0],
}

#[derive(Serialize)]
struct OutputDetails {
    reasoning_tokens: u64,
    tool_output_tokens: u64,
    output_tokens_per_turn: [(); 0],
    tool_output_tokens_per_turn: [(); 0],
}

// === impl Responses ===

impl Responses {
    /// `head.id` begins with `resp_`, `item` with `msg_`.
    pub fn new(head: Head, echo: Echo, item: String) -> Self {
        let kind = "response.output_text.delta";
        let before = format!("event: {kind}\ndata: {{\"content_index\":0,\"delta\":");
        let after =
            format!(",\"item_id\":{},\"logprobs\":[],\"output_index\":0,\"sequence_number\":", super::quoted(&item));
        Self { head, echo, item, sequence: 0, delta: (before, after), text: String::new() }
    }

    /// Writes one event: `fields` and a comma stand before its number.
    fn event(&mut self, kind: &str, to: &mut Event, fields: impl FnOnce(&Self, &mut Event)) {
        to.raw("event: ").raw(kind).raw("\ndata: {");
        fields(self, to);
        self.end(kind, to.raw(",\"sequence_number\":"));
    }

    /// Writes an event's number and kind, and ends it.
    fn end(&mut self, kind: &str, to: &mut Event) {
        to.number(self.sequence).raw(",\"type\":\"").raw(kind).raw("\"}\n\n");
        self.sequence += 1;
    }

    fn response(&self, done: Option<Counts>) -> Whole<'_> {
        Whole {
            id: &self.head.id,
            created_at: self.head.created,
            incomplete_details: done.map(|_| Reason { reason: "max_output_tokens" }),
            instructions: self.echo.instructions.as_deref(),
            metadata: (),
            model: &self.head.model,
            object: "response",
            output: done.map(|_| self.done_item()).into_iter().collect(),
            parallel_tool_calls: true,
            temperature: self.echo.temperature,
            tool_choice: "none",
            tools: [],
            top_p: self.echo.top_p,
            background: false,
            max_output_tokens: self.echo.max_output_tokens,
            max_tool_calls: (),
            previous_response_id: (),
            prompt: (),
            reasoning: (),
            service_tier: "auto",
            status: if done.is_some() { "incomplete" } else { "in_progress" },
            text: (),
            top_logprobs: (),
            truncation: "disabled",
            usage: done.map(Usage::new),
            user: (),
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            kv_transfer_params: (),
            ec_transfer_params: (),
            input_messages: (),
            output_messages: (),
        }
    }

    fn item<'a>(&'a self, status: &'static str, content: Vec<Part<'a>>) -> Item<'a> {
        Item { id: &self.item, content, role: "assistant", status, r#type: "message", phase: () }
    }

    fn done_item(&self) -> Item<'_> {
        self.item("completed", vec![Part::new(&self.text, None)])
    }

    fn place(&self, to: &mut Event) {
        to.raw(r#""content_index":0,"item_id":"#).text(&self.item);
    }
}

impl Script for Responses {
    fn begin(&mut self, to: &mut Event) {
        for kind in ["response.created", "response.in_progress"] {
            self.event(kind, to, |this, to| {
                to.raw(r#""response":"#).json(&this.response(None));
            });
        }
    }

    fn open(&mut self, _: usize, _: Counts, to: &mut Event) {
        self.event("response.output_item.added", to, |this, to| {
            to.raw(r#""item":"#).json(&this.item("in_progress", Vec::new())).raw(r#","output_index":0"#);
        });
        self.event("response.content_part.added", to, |this, to| {
            this.place(to);
            to.raw(r#","output_index":0,"part":"#).json(&Part::new("", Some([])));
        });
    }

    fn token(&mut self, token: &Piece<'_>, to: &mut Event) {
        self.text.push_str(token.text);
        to.raw(&self.delta.0).text(token.text).raw(&self.delta.1);
        self.end("response.output_text.delta", to);
    }

    fn close(&mut self, counts: Counts, to: &mut Event) {
        to.raw("event: response.output_text.done\ndata: {");
        self.place(to);
        to.raw(r#","logprobs":[],"output_index":0,"sequence_number":"#).number(self.sequence);
        to.raw(r#","text":"#).text(&self.text).raw(",\"type\":\"response.output_text.done\"}\n\n");
        self.sequence += 1;
        self.event("response.content_part.done", to, |this, to| {
            this.place(to);
            to.raw(r#","output_index":0,"part":"#).json(&Part::new(&this.text, None));
        });
        self.event("response.output_item.done", to, |this, to| {
            to.raw(r#""item":"#).json(&this.done_item()).raw(r#","output_index":0"#);
        });
        self.event("response.completed", to, |this, to| {
            to.raw(r#""response":"#).json(&this.response(Some(counts)));
        });
    }

    fn fail(&mut self, message: &str, kind: &str, code: u16, to: &mut Event) {
        super::failure(message, kind, code, to);
    }

    fn whole(&mut self, choices: &[Choice], counts: Counts) -> Bytes {
        self.text = choices.first().map(|choice| choice.text.clone()).unwrap_or_default();
        super::json(&self.response(Some(counts)))
    }
}

// === impl Part ===

impl<'a> Part<'a> {
    fn new(text: &'a str, logprobs: Option<[(); 0]>) -> Self {
        Self { annotations: [], text, r#type: "output_text", logprobs }
    }
}

// === impl Usage ===

impl Usage {
    fn new(counts: Counts) -> Self {
        Self {
            input_tokens: counts.prompt,
            input_tokens_details: InputDetails {
                cached_tokens: counts.cached,
                cache_write_tokens: 0,
                input_tokens_per_turn: [],
                cached_tokens_per_turn: [],
            },
            output_tokens: counts.completion,
            output_tokens_details: OutputDetails {
                reasoning_tokens: 0,
                tool_output_tokens: 0,
                output_tokens_per_turn: [],
                tool_output_tokens_per_turn: [],
            },
            total_tokens: counts.prompt + counts.completion,
        }
    }
}
