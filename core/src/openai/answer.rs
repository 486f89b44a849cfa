//! Reads what an engine counted, from an answer or from one event of a streamed one.

use super::{
    ScanError, Span, Usage,
    lexer::{Container, Lexer, Scalar, Sink},
};

/// What is read of one JSON object that an engine sent, chunk by chunk.
///
/// Engines' numbers are not ours to insist on: a count that is missing, `null` or no non-negative
/// integer is 0, and what is no object at all has no usage.
#[derive(Debug)]
pub(super) struct AnswerReader {
    lexer: Lexer,
    fields: Fields,
}

#[derive(Debug, Default)]
struct Fields {
    /// Open containers.
    depth: usize,
    /// The member of the answer that is being read, and whether it is an object.
    member: Member,
    count: Count,
    usage: Option<Usage>,
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
    Completion,
    Total,
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

    /// The answer's top-level `usage`, once the answer is whole: the object as it was sent.
    pub(super) fn usage(&self) -> Option<Usage> {
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
        match (self.depth, self.member) {
            (1, Member::Usage) => self.usage = None,
            (1 | 2, Member::Choices) => self.no_choices = false,
            (2, Member::Usage) => self.set_count(0),
            _ => {}
        }
    }

    fn set_count(&mut self, value: u64) {
        let Some(usage) = &mut self.usage else { return };
        match self.count {
            Count::Prompt => usage.prompt_tokens = value,
            Count::Completion => usage.completion_tokens = value,
            Count::Total => usage.total_tokens = value,
            Count::Other => {}
        }
    }
}

impl Sink for Fields {
    fn open(&mut self, container: Container, _: usize) {
        self.begin();
        match (self.depth, self.member, container) {
            (1, Member::Usage, Container::Object) => {
                self.usage = Some(Usage::default());
                self.count = Count::Other;
            }
            (1, Member::Choices, Container::Array) => self.no_choices = true,
            _ => {}
        }
        self.depth += 1;
    }

    fn close(&mut self, _: usize) {
        self.depth = self.depth.saturating_sub(1);
    }

    fn key(&mut self, name: Option<&[u8]>) {
        match (self.depth, name) {
            (1, Some(b"usage")) => self.member = Member::Usage,
            (1, Some(b"choices")) => self.member = Member::Choices,
            (1, _) => self.member = Member::Other,
            (2, Some(b"prompt_tokens")) => self.count = Count::Prompt,
            (2, Some(b"completion_tokens")) => self.count = Count::Completion,
            (2, Some(b"total_tokens")) => self.count = Count::Total,
            (2, _) => self.count = Count::Other,
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
        if let (2, Member::Usage, Scalar::Number(Some(value))) = (self.depth, self.member, scalar) {
            self.set_count(value);
        }
    }
}
