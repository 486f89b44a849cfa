//! vLLM's `/v1/responses`: one answer, many kinds of events.

mod echo;
mod item;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

pub use echo::{Echo, Tool, Tools};
use item::{CallItem, Item, Message, Part};

use super::call::{Call, Part as Of};
use super::{Choice, Counts, Event, Head, Piece, Script};

/// The answer to a request for a response.
#[derive(Debug)]
pub struct Responses {
    head: Head,
    echo: Echo,
    /// Id of the one message or call in the output.
    item: String,
    /// Number of the next event.
    sequence: u64,
    /// What every delta has in common, before and after its text.
    delta: (String, String),
    text: String,
    /// Tokens so far.
    tokens: usize,
    /// Whether a stream has begun to tell of its one message or call.
    in_item: bool,
}

/// What the one item of a response is.
const TEXT: Kind = Kind { prefix: "msg", delta: "response.output_text.delta", place: "\"content_index\":0," };
const CALL: Kind = Kind { prefix: "fc", delta: "response.function_call_arguments.delta", place: "" };

struct Kind {
    /// Of its id.
    prefix: &'static str,
    /// The event that adds to it.
    delta: &'static str,
    /// Where such an event begins.
    place: &'static str,
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
    tool_choice: &'a Value,
    tools: &'a [Tool],
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
    /// `head.id` begins with `resp_`; `item` becomes the id of what is in the output.
    pub fn new(head: Head, echo: Echo, item: &str) -> Self {
        let (Kind { prefix, delta, place }, logprobs) =
            if head.call.is_some() { (CALL, "") } else { (TEXT, "\"logprobs\":[],") };
        let item = format!("{prefix}_{item}");
        let before = format!("event: {delta}\ndata: {{{place}\"delta\":");
        let after = format!(",\"item_id\":{},{logprobs}\"output_index\":0,\"sequence_number\":", super::quoted(&item));
        let delta = (before, after);
        Self { head, echo, item, sequence: 0, delta, text: String::new(), tokens: 0, in_item: false }
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

    fn response(&self, done: Option<(Option<Item<'_>>, Counts)>) -> String {
        let (is_done, called) = (done.is_some(), self.head.called(self.tokens).is_some());
        let (item, counts) = done.map_or((None, None), |(item, counts)| (item, Some(counts)));
        let whole = Whole {
            id: &self.head.id,
            created_at: self.head.created,
            incomplete_details: (is_done && !called).then_some(Reason { reason: "max_output_tokens" }),
            instructions: self.echo.instructions.as_deref(),
            metadata: (),
            model: &self.head.model,
            object: "response",
            output: item.into_iter().collect(),
            parallel_tool_calls: true,
            temperature: self.echo.temperature,
            tool_choice: &self.echo.tools.choice,
            tools: &self.echo.tools.offered,
            top_p: self.echo.top_p,
            background: false,
            max_output_tokens: self.echo.max_output_tokens,
            max_tool_calls: (),
            previous_response_id: (),
            prompt: (),
            reasoning: (),
            service_tier: "auto",
            status: match (is_done, called) {
                (false, _) => "in_progress",
                (true, true) => "completed",
                (true, false) => "incomplete",
            },
            text: (),
            top_logprobs: (),
            truncation: "disabled",
            usage: counts.map(Usage::new),
            user: (),
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            kv_transfer_params: (),
            ec_transfer_params: (),
            input_messages: (),
            output_messages: (),
        };
        String::from_utf8_lossy(&super::json(&whole)).into_owned()
    }

    fn message<'a>(&'a self, status: &'static str, content: Vec<Part<'a>>) -> Item<'a> {
        Item::Message(Message { id: &self.item, content, role: "assistant", status, r#type: "message", phase: () })
    }

    fn call_item<'a>(&'a self, call: &'a Call, status: &'static str, arguments: &'a str) -> Item<'a> {
        Item::Call(CallItem {
            arguments,
            call_id: call.id(0),
            name: &call.name,
            r#type: "function_call",
            id: &self.item,
            r#async: (),
            caller: (),
            namespace: (),
            status,
        })
    }

    /// What was told, as it is in the end.
    fn done_item(&self) -> Item<'_> {
        match &self.head.call {
            Some(call) => self.call_item(call, "completed", &self.text),
            None => self.message("completed", vec![Part::new(&self.text, None)]),
        }
    }

    fn place(&self, to: &mut Event) {
        to.raw(r#""content_index":0,"item_id":"#).text(&self.item);
    }
}

impl Script for Responses {
    fn begin(&mut self, to: &mut Event) {
        for kind in ["response.created", "response.in_progress"] {
            self.event(kind, to, |this, to| {
                to.raw(r#""response":"#).raw(&this.response(None));
            });
        }
    }

    fn open(&mut self, _: usize, _: Counts, to: &mut Event) {
        if self.head.call.is_some() {
            return;
        }
        self.add_item(to);
        self.event("response.content_part.added", to, |this, to| {
            this.place(to);
            to.raw(r#","output_index":0,"part":"#).json(&Part::new("", Some([])));
        });
    }

    fn token(&mut self, token: &Piece<'_>, to: &mut Event) {
        self.tokens = token.position as usize + 1;
        match self.head.said(token).map(|said| (said.part, said.text.clone())) {
            None => self.tell(token.text, TEXT.delta, to),
            Some((Of::Arguments, text)) => self.tell(&text, CALL.delta, to),
            Some((Of::Name, _)) => self.add_item(to),
            Some((Of::Around, _)) => {}
        }
    }

    fn close(&mut self, counts: Counts, to: &mut Event) {
        if self.head.call.is_some() {
            self.close_call(to);
        } else {
            self.close_text(to);
        }
        if self.in_item {
            self.event("response.output_item.done", to, |this, to| {
                to.raw(r#""item":"#).json(&this.done_item()).raw(r#","output_index":0"#);
            });
        }
        self.event("response.completed", to, |this, to| {
            let item = this.in_item.then(|| this.done_item());
            to.raw(r#""response":"#).raw(&this.response(Some((item, counts))));
        });
    }

    fn fail(&mut self, message: &str, kind: &str, code: u16, to: &mut Event) {
        super::failure(message, kind, code, to);
    }

    fn whole(&mut self, choices: &[Choice], counts: Counts) -> Bytes {
        let Some(choice) = choices.first() else { return self.response(Some((None, counts))).into() };
        self.tokens = choice.ids.len();
        let (text, id);
        let item = match (&self.head.call, self.head.called(self.tokens)) {
            (_, Some(call)) => {
                text = call.arguments(self.tokens);
                self.call_item(call, "completed", &text)
            }
            // A parser makes nothing of the half: it is a message.
            (Some(call), None) => {
                (text, id) = (call.text(self.tokens), self.item.replacen(CALL.prefix, TEXT.prefix, 1));
                let content = vec![Part::new(&text, None)];
                let (status, r#type) = ("completed", "message");
                Item::Message(Message { id: &id, content, role: "assistant", status, r#type, phase: () })
            }
            (None, None) => self.message("completed", vec![Part::new(&choice.text, None)]),
        };
        self.response(Some((Some(item), counts))).into()
    }
}

impl Responses {
    /// Begins the one item of the output.
    fn add_item(&mut self, to: &mut Event) {
        self.in_item = true;
        self.event("response.output_item.added", to, |this, to| {
            let item = match &this.head.call {
                Some(call) => this.call_item(call, "in_progress", ""),
                None => this.message("in_progress", Vec::new()),
            };
            to.raw(r#""item":"#).json(&item).raw(r#","output_index":0"#);
        });
    }

    /// One delta.
    fn tell(&mut self, text: &str, kind: &str, to: &mut Event) {
        self.text.push_str(text);
        to.raw(&self.delta.0).text(text).raw(&self.delta.1);
        self.end(kind, to);
    }

    fn close_text(&mut self, to: &mut Event) {
        to.raw("event: response.output_text.done\ndata: {");
        self.place(to);
        to.raw(r#","logprobs":[],"output_index":0,"sequence_number":"#).number(self.sequence);
        to.raw(r#","text":"#).text(&self.text).raw(",\"type\":\"response.output_text.done\"}\n\n");
        self.sequence += 1;
        self.event("response.content_part.done", to, |this, to| {
            this.place(to);
            to.raw(r#","output_index":0,"part":"#).json(&Part::new(&this.text, None));
        });
    }

    fn close_call(&mut self, to: &mut Event) {
        const KIND: &str = "response.function_call_arguments.done";
        let Some(name) = self.head.call.as_ref().filter(|_| self.in_item).map(|call| &call.name) else { return };
        to.raw("event: ").raw(KIND).raw("\ndata: {\"arguments\":").text(&self.text).raw(r#","item_id":"#);
        to.text(&self.item).raw(r#","output_index":0,"sequence_number":"#).number(self.sequence);
        to.raw(r#","type":""#).raw(KIND).raw(r#"","name":"#).text(name).raw("}\n\n");
        self.sequence += 1;
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
