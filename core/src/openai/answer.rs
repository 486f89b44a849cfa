//! Reads what an engine counted, from an answer or from one event of a streamed one.

use super::{
    ScanError, Span,
    lexer::{Container, Lexer, Scalar, Sink},
    usage::Reported,
};

/// What is read of one JSON object that an engine sent, chunk by chunk.
///
/// Engines' numbers are not ours to insist on: a count that is `null` or no non-negative integer is missing, and what is no object at all has no usage.
#[derive(Debug)]
pub(super) struct AnswerReader {
    lexer: Lexer,
    fields: Fields,
}

#[derive(Debug, Default)]
struct Fields {
    /// Open containers.
    depth: usize,
    /// The member that is being read, of the answer or of what wraps it.
    member: Member,
    /// Whether the member belongs to an object within the answer: Responses' events hold theirs under `response`,
    /// Messages' first one under `message`.
    wrapped: bool,
    count: Count,
    usage: Option<Reported>,
    no_choices: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Member {
    #[default]
    Other,
    Usage,
    Choices,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Count {
    #[default]
    Other,
    Prompt,
    Input,
    CacheCreation,
    CacheRead,
    Completion,
    Total,
}

// === impl Member ===

impl Member {
    fn of(name: Option<&[u8]>) -> Self {
        match name {
            Some(b"usage") => Self::Usage,
            Some(b"choices") => Self::Choices,
            _ => Self::Other,
        }
    }
}

// === impl Count ===

impl Count {
    /// Chats and completions count one way, Responses and Messages another.
    fn of(name: Option<&[u8]>) -> Self {
        match name {
            Some(b"prompt_tokens") => Self::Prompt,
            Some(b"input_tokens") => Self::Input,
            Some(b"cache_creation_input_tokens") => Self::CacheCreation,
            Some(b"cache_read_input_tokens") => Self::CacheRead,
            Some(b"completion_tokens" | b"output_tokens") => Self::Completion,
            Some(b"total_tokens") => Self::Total,
            _ => Self::Other,
        }
    }
}

// === impl AnswerReader ===

impl AnswerReader {
    pub(super) fn new() -> Self {
        Self { lexer: Lexer::new(), fields: Fields::default() }
    }

    /// Reads the next chunk; an answer that is no JSON object is given up.
    pub(super) fn feed(&mut self, chunk: &[u8]) {
        // The lexer remembers the fault; `whole` is where it counts.
        let _ = self.lexer.feed(chunk, &mut self.fields);
    }

    /// The answer's `usage`, once the answer is whole: the object as it was sent, at the top or just below `response`
    /// or `message`.
    pub(super) fn usage(&self) -> Option<Reported> {
        if self.whole() { self.fields.usage } else { None }
    }

    /// Whether the answer is whole and its `choices` is an empty array.
    pub(super) fn no_choices(&self) -> bool {
        self.whole() && self.fields.no_choices
    }

    fn whole(&self) -> bool {
        self.lexer.finish().is_ok()
    }
}

// === impl Fields ===

impl Fields {
    /// A value begins: it replaces what an earlier member of its name had said.
    fn begin(&mut self) {
        match (self.below(), self.member) {
            (Some(0), Member::Usage) => self.usage = None,
            (Some(0 | 1), Member::Choices) => self.no_choices = false,
            (Some(1), Member::Usage) => self.set_count(None),
            _ => {}
        }
    }

    /// How far below the member's own object we are.
    fn below(&self) -> Option<usize> {
        self.depth.checked_sub(1 + usize::from(self.wrapped))
    }

    fn set_count(&mut self, value: Option<u64>) {
        let Some(usage) = &mut self.usage else { return };
        match self.count {
            Count::Prompt => usage.prompt = value,
            Count::Input => usage.input = value,
            Count::CacheCreation => usage.cache_creation = value,
            Count::CacheRead => usage.cache_read = value,
            Count::Completion => usage.completion = value,
            Count::Total => usage.total = value,
            Count::Other => {}
        }
    }
}

impl Sink for Fields {
    fn open(&mut self, container: Container, _: usize) {
        self.begin();
        match (self.below(), self.member, container) {
            (Some(0), Member::Usage, Container::Object) => {
                self.usage = Some(Reported::default());
                self.count = Count::Other;
            }
            (Some(0), Member::Choices, Container::Array) => self.no_choices = true,
            _ => {}
        }
        self.depth += 1;
    }

    fn close(&mut self, _: usize) {
        self.depth = self.depth.saturating_sub(1);
    }

    fn key(&mut self, name: Option<&[u8]>) {
        match (self.depth, name) {
            (1, Some(b"response" | b"message")) => (self.member, self.wrapped) = (Member::Other, true),
            (1, _) => (self.member, self.wrapped) = (Member::of(name), false),
            (2, _) if self.wrapped => {
                self.member = if name == Some(b"usage") { Member::Usage } else { Member::Other };
            }
            _ if self.below() == Some(1) => self.count = Count::of(name),
            _ => {}
        }
    }

    fn begin_string(&mut self, _: usize) -> bool {
        self.begin();
        false
    }

    fn text(&mut self, _: &str) -> Result<(), ScanError> {
        Ok(())
    }

    fn end_string(&mut self, _: Span, _: bool) {}

    fn scalar(&mut self, scalar: Scalar, _: Span) {
        self.begin();
        if let (Some(1), Member::Usage, Scalar::Number(Some(value))) = (self.below(), self.member, scalar) {
            self.set_count(Some(value));
        }
    }
}
