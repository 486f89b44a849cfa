//! Reads a request body while it arrives.
//!
//! Of a name that an object has twice the last one counts, as it does for Python's and Go's JSON
//! decoders, so that gateway and engine cannot be made to see two different requests; names compare
//! after unescaping for the same reason.

mod captured;
mod place;
mod reader;
#[cfg(test)]
mod tests;

use self::reader::RequestReader;
use super::{Prompt, ScanError, Span, lexer::Lexer};

/// The incremental reader of one request body.
#[derive(Debug)]
pub struct Scanner {
    lexer: Lexer,
    reader: RequestReader,
}

/// What a request body says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// `model`.
    pub model: Model,
    /// Whether `stream` is on: `true`, or what engines written with pydantic take for it (a number that is
    /// not 0, a word such as `"true"`). A value that they refuse may count; they answer 400 either way.
    pub stream: bool,
    /// `stream_options`.
    pub stream_options: StreamOptions,
    /// `max_completion_tokens`, else `max_tokens`; a value that is no non-negative integer does
    /// not count.
    pub max_tokens: Option<u64>,
    /// `user`, unless it is no string or longer than 4 KiB.
    pub user: Option<String>,
    /// The prompt.
    pub prompt: Prompt,
    /// The offset just after the body's opening brace.
    pub members_at: usize,
    /// Whether the body's object has no members.
    pub empty: bool,
}

/// `model`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Model {
    /// The body has none.
    Absent,
    /// It is something else than a string.
    NotAString(Span),
    /// It is a string, perhaps a blank one.
    Name {
        /// The name, unescaped; a lone surrogate escape becomes U+FFFD.
        name: String,
        /// The string's place, its quotes included.
        span: Span,
    },
}

/// `stream_options`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamOptions {
    /// The body has none.
    Absent,
    /// `null`, at this place.
    Null(Span),
    /// An object.
    Object {
        /// Its place, its braces included.
        span: Span,
        /// Whether it has no members.
        empty: bool,
        /// Its `include_usage`.
        include_usage: Option<Switch>,
        /// Its `continuous_usage_stats`, which vLLM heeds only beside the former.
        continuous_usage: Option<Switch>,
    },
    /// Anything else, at this place.
    Other(Span),
}

/// An option of `stream_options` that is on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switch {
    /// Whether it is on: `true`, 1 or a word for it. What is doubtful is off, and so asked for again.
    pub on: bool,
    /// The value's place.
    pub span: Span,
}

// === impl Scanner ===

impl Scanner {
    /// A scanner that has read nothing.
    pub fn new() -> Self {
        Self { lexer: Lexer::new(), reader: RequestReader::default() }
    }

    /// Reads the next chunk of the body, of any size.
    ///
    /// # Errors
    /// The first fault in the body, whatever the chunks; every later call repeats it.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<(), ScanError> {
        self.lexer.feed(chunk, &mut self.reader)
    }

    /// The body is whole.
    ///
    /// # Errors
    /// The fault that [`Scanner::feed`] found, or that the body's object has not ended.
    pub fn finish(self) -> Result<Scan, ScanError> {
        self.lexer.finish()?;
        Ok(self.reader.finish())
    }

    /// Bytes fed so far.
    pub fn bytes(&self) -> usize {
        self.lexer.fed()
    }
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}
