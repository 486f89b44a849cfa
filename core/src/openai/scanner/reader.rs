//! Turns what the lexer tells into a [`Scan`].

use super::{
    Model, Scan, StreamOptions, Switch,
    captured::{Captured, Keep, MAX_NAME},
    place::Place,
};
use crate::openai::{
    PromptKind, ScanError, Span,
    lexer::{Container, Scalar, Sink},
    prompt::{PromptReader, Text},
};

/// A request as far as it was read.
///
/// Every value first wipes what an earlier one at its place had left ([`RequestReader::begin`]),
/// then says what it says: so the last of several members of one name counts.
#[derive(Debug)]
pub(super) struct RequestReader {
    /// The open containers that something is read from, outermost first.
    open: Vec<Open>,
    /// How many containers are open inside the innermost of those.
    elsewhere: usize,
    /// The place of the member whose name was read last.
    member: Place,
    /// The place and the start of the string being read.
    string: (Place, usize),
    captured: Captured,
    model: Model,
    stream: bool,
    stream_options: StreamOptions,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    user: Option<String>,
    prompt: PromptReader,
    members_at: usize,
    empty: bool,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    container: Container,
    place: Place,
    start: usize,
}

// === impl RequestReader ===

impl RequestReader {
    pub(super) fn finish(self) -> Scan {
        Scan {
            model: self.model,
            stream: self.stream,
            stream_options: self.stream_options,
            max_tokens: self.max_completion_tokens.or(self.max_tokens),
            user: self.user,
            prompt: self.prompt.finish(),
            members_at: self.members_at,
            empty: self.empty,
        }
    }

    /// A value begins; answers its place, where nothing is left of an earlier value.
    fn begin(&mut self) -> Place {
        let place = match self.open.last() {
            _ if self.elsewhere > 0 => Place::Elsewhere,
            None => Place::Body,
            Some(open) if open.container == Container::Array => open.place.element(),
            Some(_) => self.member,
        };
        match place {
            Place::Model => self.model = Model::Absent,
            Place::Stream => self.stream = false,
            Place::StreamOptions => self.stream_options = StreamOptions::Absent,
            Place::IncludeUsage | Place::ContinuousUsage => self.stream_option(place, None),
            Place::MaxTokens => self.max_tokens = None,
            Place::MaxCompletionTokens => self.max_completion_tokens = None,
            Place::User => self.user = None,
            Place::Prompt => self.prompt.start(PromptKind::Prompt, false),
            Place::Messages => self.prompt.start(PromptKind::Messages, false),
            Place::Input => self.prompt.start(PromptKind::Input, false),
            Place::System => self.prompt.start_system(),
            Place::Instructions => self.prompt.instructions(None),
            Place::Role => self.prompt.role(None),
            Place::Content => self.prompt.start_content(),
            Place::ItemType => self.prompt.item_type(false),
            Place::PartType => self.prompt.part_type(false),
            Place::PartText => self.prompt.part_text(None),
            Place::Elsewhere | Place::Body | Place::PromptItem | Place::Message | Place::Item | Place::Part => {}
        }
        place
    }

    /// A value that is no string ends at a place where a string or an object would be better.
    fn end_other(&mut self, place: Place, span: Span) {
        match place {
            Place::Model => self.model = Model::NotAString(span),
            Place::StreamOptions => self.stream_options = StreamOptions::Other(span),
            Place::IncludeUsage | Place::ContinuousUsage => self.stream_option(place, Some(Switch { on: false, span })),
            _ => {}
        }
    }

    fn stream_option(&mut self, place: Place, value: Option<Switch>) {
        if let StreamOptions::Object { include_usage, continuous_usage, .. } = &mut self.stream_options {
            match place {
                Place::ContinuousUsage => *continuous_usage = value,
                _ => *include_usage = value,
            }
        }
    }
}

impl Default for RequestReader {
    fn default() -> Self {
        Self {
            open: Vec::new(),
            elsewhere: 0,
            member: Place::Elsewhere,
            string: (Place::Elsewhere, 0),
            captured: Captured::default(),
            model: Model::Absent,
            stream: false,
            stream_options: StreamOptions::Absent,
            max_tokens: None,
            max_completion_tokens: None,
            user: None,
            prompt: PromptReader::default(),
            members_at: 0,
            empty: true,
        }
    }
}

impl Sink for RequestReader {
    fn open(&mut self, container: Container, at: usize) {
        let place = self.begin();
        if place == Place::Elsewhere {
            self.elsewhere += 1;
            return;
        }
        self.open.push(Open { container, place, start: at });
        match (place, container) {
            (Place::Body, _) => self.members_at = at + 1,
            (Place::StreamOptions, Container::Object) => {
                let span = Span { start: at, end: at + 1 };
                self.stream_options =
                    StreamOptions::Object { span, empty: true, include_usage: None, continuous_usage: None };
            }
            (Place::Prompt, Container::Array) => self.prompt.start(PromptKind::Prompt, true),
            (Place::Messages, Container::Array) => self.prompt.start(PromptKind::Messages, true),
            (Place::Input, Container::Array) => self.prompt.start(PromptKind::Input, true),
            (Place::Message | Place::Item, Container::Object) => self.prompt.start_message(),
            (Place::Part, Container::Object) => self.prompt.start_part(),
            _ => {}
        }
    }

    fn close(&mut self, end: usize) {
        if self.elsewhere > 0 {
            self.elsewhere -= 1;
            return;
        }
        let Some(closed) = self.open.pop() else {
            return;
        };
        match (closed.place, closed.container) {
            (Place::StreamOptions, Container::Object) => {
                if let StreamOptions::Object { span, .. } = &mut self.stream_options {
                    span.end = end;
                }
            }
            (Place::Message, Container::Object) => self.prompt.end_message(PromptKind::Messages),
            (Place::Item, Container::Object) => self.prompt.end_message(PromptKind::Input),
            (Place::Part, Container::Object) => {
                match (self.prompt.end_part(), self.open.last().map(|open| open.place)) {
                    (Some(text), Some(Place::System)) => self.prompt.system(text),
                    (Some(text), _) => self.prompt.content(text),
                    (None, _) => {}
                }
            }
            (place, _) => self.end_other(place, Span { start: closed.start, end }),
        }
    }

    fn key(&mut self, name: Option<&[u8]>) {
        if self.elsewhere > 0 {
            return;
        }
        let Some(open) = self.open.last() else { return };
        self.member = name.map_or(Place::Elsewhere, |name| open.place.member(name));
        match open.place {
            Place::Body => self.empty = false,
            Place::StreamOptions => {
                if let StreamOptions::Object { empty, .. } = &mut self.stream_options {
                    *empty = false;
                }
            }
            _ => {}
        }
    }

    fn begin_string(&mut self, at: usize) -> bool {
        let place = self.begin();
        self.string = (place, at);
        let keep = match place {
            Place::Model | Place::User => Keep::Name,
            Place::ItemType | Place::PartType | Place::Stream | Place::IncludeUsage | Place::ContinuousUsage => {
                Keep::Short
            }
            Place::Prompt
            | Place::PromptItem
            | Place::Input
            | Place::Item
            | Place::System
            | Place::Instructions
            | Place::Role
            | Place::Content
            | Place::PartText => Keep::Length,
            _ => Keep::Nothing,
        };
        self.captured.start(keep);
        keep != Keep::Nothing
    }

    fn text(&mut self, piece: &str) -> Result<(), ScanError> {
        self.captured.push(piece);
        match self.string {
            (Place::Model, start) if self.captured.overlong() => {
                Err(ScanError::TooLong { field: "model", limit: MAX_NAME, offset: start })
            }
            _ => Ok(()),
        }
    }

    fn end_string(&mut self, span: Span, escaped: bool) {
        let text = Text { span: span.without_quotes(), escaped, chars: self.captured.chars() };
        match self.string.0 {
            Place::Model => {
                self.model = match self.captured.take_name() {
                    Some(name) => Model::Name { name, span },
                    None => Model::NotAString(span),
                }
            }
            Place::User => self.user = self.captured.take_name(),
            Place::Prompt | Place::PromptItem => self.prompt.prompt(text),
            Place::Input | Place::Item => self.prompt.input(text),
            Place::System => self.prompt.system(text),
            Place::Instructions => self.prompt.instructions(Some(text)),
            Place::Role => self.prompt.role(Some(text)),
            Place::Content => self.prompt.content(text),
            Place::PartText => self.prompt.part_text(Some(text)),
            Place::ItemType => {
                let is_message = self.captured.is_one_of(&[b"", b"message"]);
                self.prompt.item_type(is_message);
            }
            Place::PartType => {
                let types: [&[u8]; 4] = [b"", b"text", b"input_text", b"output_text"];
                self.prompt.part_type(self.captured.is_one_of(&types));
            }
            Place::Stream => self.stream = self.captured.is_on(),
            place @ (Place::IncludeUsage | Place::ContinuousUsage) => {
                self.stream_option(place, Some(Switch { on: self.captured.is_on(), span }));
            }
            place => self.end_other(place, span),
        }
    }

    fn scalar(&mut self, scalar: Scalar, span: Span) {
        match (self.begin(), scalar) {
            (Place::Stream, Scalar::Bool(on)) => self.stream = on,
            (Place::Stream, Scalar::Number(value)) => self.stream = value != Some(0),
            (Place::StreamOptions, Scalar::Null) => self.stream_options = StreamOptions::Null(span),
            (place @ (Place::IncludeUsage | Place::ContinuousUsage), Scalar::Bool(on)) => {
                self.stream_option(place, Some(Switch { on, span }));
            }
            (place @ (Place::IncludeUsage | Place::ContinuousUsage), Scalar::Number(value)) => {
                self.stream_option(place, Some(Switch { on: value == Some(1), span }));
            }
            (Place::MaxTokens, Scalar::Number(value)) => self.max_tokens = value,
            (Place::MaxCompletionTokens, Scalar::Number(value)) => {
                self.max_completion_tokens = value;
            }
            (Place::ItemType, Scalar::Null) => self.prompt.item_type(true),
            (Place::PartType, Scalar::Null) => self.prompt.part_type(true),
            (place, _) => self.end_other(place, span),
        }
    }
}
