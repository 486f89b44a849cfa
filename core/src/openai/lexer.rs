//! An incremental JSON reader: bytes in, what they mean out, nothing kept.
//!
//! Bodies arrive in chunks cut anywhere and may be tens of megabytes, so no parser that wants the
//! whole text will do: joining the chunks doubles the memory of every request, and a DOM multiplies
//! it. This one is a state machine over RFC 8259 that calls a [`Sink`] and remembers only where it
//! is: one bit for each open container and the current token's state.

mod nesting;
mod number;
mod short;
#[cfg(test)]
mod tests;
mod text;

use self::{
    nesting::{MAX_DEPTH, Nesting},
    number::{Number, Step},
    text::Progress,
};
pub(super) use self::{short::ShortText, text::Text};
use super::{ScanError, Span};

/// What is told of a JSON object, in the order of its text. Offsets are bytes from its start.
pub(super) trait Sink {
    /// A container opens; its bracket is the byte at `at`.
    fn open(&mut self, container: Container, at: usize);
    /// The innermost container closes; `end` is just after its bracket.
    fn close(&mut self, end: usize);
    /// A member's name, unescaped; `None` when it is too long to be one that anyone asks for.
    fn key(&mut self, name: Option<&[u8]>);
    /// A string value starts at `at`; answers whether its text is wanted.
    fn begin_string(&mut self, at: usize) -> bool;
    /// The next piece of the wanted string's text, unescaped.
    fn text(&mut self, piece: &str) -> Result<(), ScanError>;
    /// The string value is complete; `span` includes its quotes.
    fn end_string(&mut self, span: Span, escaped: bool);
    /// A value that is neither a string nor a container.
    fn scalar(&mut self, scalar: Scalar, span: Span);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    Object,
    Array,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    /// Its value when it is written as a non-negative integer within 64 bits.
    Number(Option<u64>),
}

/// The reader of one JSON object.
#[derive(Debug)]
pub(super) struct Lexer {
    state: State,
    nesting: Nesting,
    /// Where the current token started.
    token: usize,
    text: Text,
    key: ShortText,
    fed: usize,
    failed: Option<ScanError>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Before the object.
    Start,
    /// After `{`.
    KeyOrEnd,
    /// After a comma in an object.
    Key,
    Colon,
    Value,
    /// After `[`.
    ValueOrEnd,
    /// After a value in a container.
    CommaOrEnd,
    InKey,
    InString {
        wanted: bool,
    },
    InNumber(Number),
    /// What is still to come of `true`, `false` or `null`.
    InLiteral(&'static [u8], Scalar),
    /// After the object.
    Done,
}

// === impl Lexer ===

impl Lexer {
    pub(super) fn new() -> Self {
        Self {
            state: State::Start,
            nesting: Nesting::default(),
            token: 0,
            text: Text::default(),
            key: ShortText::default(),
            fed: 0,
            failed: None,
        }
    }

    /// Bytes fed so far.
    pub(super) fn fed(&self) -> usize {
        self.fed
    }

    /// Reads the next chunk. After an error every further call returns that error.
    pub(super) fn feed(&mut self, chunk: &[u8], sink: &mut impl Sink) -> Result<(), ScanError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.fed += chunk.len();
        let read = self.read(chunk, sink);
        self.failed = read.err();
        read
    }

    /// Says whether what was fed is one whole object.
    pub(super) fn finish(&self) -> Result<(), ScanError> {
        match (self.failed, self.state) {
            (Some(error), _) => Err(error),
            (None, State::Done) => Ok(()),
            (None, _) => Err(ScanError::UnexpectedEnd { offset: self.fed }),
        }
    }

    fn read(&mut self, chunk: &[u8], sink: &mut impl Sink) -> Result<(), ScanError> {
        let mut rest = chunk;
        while let Some((&byte, tail)) = rest.split_first() {
            let at = self.fed - rest.len();
            rest = match self.state {
                State::InString { wanted } => self.string(rest, wanted, sink)?,
                State::InKey => self.name(rest, sink)?,
                State::InNumber(number) => self.number(rest, number, sink)?,
                State::InLiteral(expected, scalar) => {
                    self.literal(expected, scalar, byte, at, sink)?;
                    tail
                }
                _ if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') => tail,
                _ => {
                    self.punctuation(byte, at, sink)?;
                    tail
                }
            };
        }
        Ok(())
    }

    /// A byte between tokens, or the first of one.
    fn punctuation(&mut self, byte: u8, at: usize, sink: &mut impl Sink) -> Result<(), ScanError> {
        let inside = self.nesting.innermost();
        match (self.state, byte) {
            (State::Start, b'{') => return self.open(Container::Object, at, sink),
            (State::Start, found) => return Err(ScanError::NotAnObject { found, offset: at }),
            (State::Done, _) => return Err(ScanError::TrailingData { offset: at }),
            (State::KeyOrEnd | State::Key, b'"') => {
                self.key.clear();
                self.text = Text::default();
                self.state = State::InKey;
            }
            (State::Colon, b':') => self.state = State::Value,
            (State::CommaOrEnd, b',') if inside == Container::Object => self.state = State::Key,
            (State::CommaOrEnd, b',') => self.state = State::Value,
            (State::CommaOrEnd, b'}') if inside == Container::Object => self.close(at, sink),
            (State::CommaOrEnd, b']') if inside == Container::Array => self.close(at, sink),
            (State::KeyOrEnd, b'}') | (State::ValueOrEnd, b']') => self.close(at, sink),
            (State::Value | State::ValueOrEnd, _) => return self.value(byte, at, sink),
            (_, found) => return Err(ScanError::Unexpected { found, offset: at }),
        }
        Ok(())
    }

    fn value(&mut self, byte: u8, at: usize, sink: &mut impl Sink) -> Result<(), ScanError> {
        self.token = at;
        self.state = match byte {
            b'{' => return self.open(Container::Object, at, sink),
            b'[' => return self.open(Container::Array, at, sink),
            b'"' => {
                self.text = Text::default();
                State::InString { wanted: sink.begin_string(at) }
            }
            b't' => State::InLiteral(b"rue", Scalar::Bool(true)),
            b'f' => State::InLiteral(b"alse", Scalar::Bool(false)),
            b'n' => State::InLiteral(b"ull", Scalar::Null),
            found => State::InNumber(Number::start(found).ok_or(ScanError::Unexpected { found, offset: at })?),
        };
        Ok(())
    }

    fn open(&mut self, container: Container, at: usize, sink: &mut impl Sink) -> Result<(), ScanError> {
        if !self.nesting.push(container) {
            return Err(ScanError::TooDeep { limit: MAX_DEPTH, offset: at });
        }
        self.state = match container {
            Container::Object => State::KeyOrEnd,
            Container::Array => State::ValueOrEnd,
        };
        sink.open(container, at);
        Ok(())
    }

    fn close(&mut self, at: usize, sink: &mut impl Sink) {
        self.state = if self.nesting.pop() { State::Done } else { State::CommaOrEnd };
        sink.close(at + 1);
    }

    /// Reads on in a string value; returns the rest of the chunk.
    fn string<'c>(&mut self, rest: &'c [u8], wanted: bool, sink: &mut impl Sink) -> Result<&'c [u8], ScanError> {
        let mut pieces = |piece: &str| if wanted { sink.text(piece) } else { Ok(()) };
        match self.text.read(rest, self.fed, &mut pieces)? {
            Progress::More => Ok(&[]),
            Progress::Closed(after) => {
                self.state = State::CommaOrEnd;
                let span = self.token_until(self.fed - after.len());
                sink.end_string(span, self.text.escaped());
                Ok(after)
            }
        }
    }

    /// Reads on in a member's name; returns the rest of the chunk.
    fn name<'c>(&mut self, rest: &'c [u8], sink: &mut impl Sink) -> Result<&'c [u8], ScanError> {
        let key = &mut self.key;
        let mut pieces = |piece: &str| {
            key.push(piece);
            Ok(())
        };
        match self.text.read(rest, self.fed, &mut pieces)? {
            Progress::More => Ok(&[]),
            Progress::Closed(after) => {
                self.state = State::Colon;
                sink.key(self.key.get());
                Ok(after)
            }
        }
    }

    /// Reads on in a number; returns the rest of the chunk.
    fn number<'c>(
        &mut self,
        mut rest: &'c [u8],
        mut number: Number,
        sink: &mut impl Sink,
    ) -> Result<&'c [u8], ScanError> {
        while let Some((&byte, tail)) = rest.split_first() {
            let at = self.fed - rest.len();
            match number.step(byte) {
                Step::Taken => rest = tail,
                Step::Complete(value) => {
                    self.state = State::CommaOrEnd;
                    sink.scalar(Scalar::Number(value), self.token_until(at));
                    return Ok(rest);
                }
                Step::Malformed => return Err(ScanError::Unexpected { found: byte, offset: at }),
            }
        }
        self.state = State::InNumber(number);
        Ok(rest)
    }

    fn literal(
        &mut self,
        expected: &'static [u8],
        scalar: Scalar,
        byte: u8,
        at: usize,
        sink: &mut impl Sink,
    ) -> Result<(), ScanError> {
        match expected.split_first() {
            Some((first, rest)) if *first == byte => {
                if rest.is_empty() {
                    self.state = State::CommaOrEnd;
                    sink.scalar(scalar, self.token_until(at + 1));
                } else {
                    self.state = State::InLiteral(rest, scalar);
                }
                Ok(())
            }
            _ => Err(ScanError::Unexpected { found: byte, offset: at }),
        }
    }

    fn token_until(&self, end: usize) -> Span {
        Span { start: self.token, end }
    }
}
