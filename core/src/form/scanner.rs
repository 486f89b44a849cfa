//! The incremental reader of one form.

use super::disposition::field;
use super::{Boundary, FormError, FormModel};
use crate::openai::Span;

/// The longest headers of a part, in bytes: a file's name may be long, nothing else is.
const MAX_HEADERS: usize = 8192;

/// The longest model name, in bytes: as long as one in JSON may be.
const MAX_MODEL: usize = 4096;

/// The incremental reader of one form; keeps a part's headers, and the model's name.
#[derive(Debug)]
pub struct FormScanner {
    boundary: Boundary,
    state: State,
    fed: usize,
    /// A part's headers so far, or the model's name.
    kept: Vec<u8>,
    model: Option<FormModel>,
    fault: Option<FormError>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In a part's value (or before the first part), with so many bytes of the delimiter just seen.
    Value { value: Value, matched: usize },
    /// Just behind a delimiter: `\r\n` begins a part, `--` ends the form. The first of the two, once seen.
    Behind(Option<u8>),
    /// In a part's headers, which start there.
    Headers { start: usize },
    /// Behind the last boundary.
    Ended,
}

/// What a value is to the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    /// There is none: the form begins with a boundary.
    None,
    /// The model's name, from there on.
    Model(usize),
    /// Nothing.
    Other,
}

// === impl FormScanner ===

impl FormScanner {
    /// A scanner that has read nothing.
    pub fn new(boundary: Boundary) -> Self {
        // The line end before the first delimiter is the one that ends the request's headers.
        let state = State::Value { value: Value::None, matched: 2 };
        Self { boundary, state, fed: 0, kept: Vec::new(), model: None, fault: None }
    }

    /// Reads the next chunk of the body, of any size.
    ///
    /// # Errors
    /// The first fault in the body, whatever the chunks; every later call repeats it.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<(), FormError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let mut rest = chunk;
        while !rest.is_empty() {
            let read = match self.state {
                State::Value { value, matched } => self.value(rest, value, matched),
                State::Behind(first) => self.behind(rest, first),
                State::Headers { start } => self.headers(rest, start),
                State::Ended => Ok(rest.len()),
            };
            match read {
                Ok(read) => {
                    self.fed += read;
                    rest = rest.get(read..).unwrap_or_default();
                }
                Err(fault) => {
                    self.fault = Some(fault);
                    return Err(fault);
                }
            }
        }
        Ok(())
    }

    /// The body is whole; its field `model`, if it has one.
    ///
    /// # Errors
    /// The fault that [`FormScanner::feed`] found, or that the last boundary did not come.
    pub fn finish(self) -> Result<Option<FormModel>, FormError> {
        match (self.fault, self.state) {
            (Some(fault), _) => Err(fault),
            (None, State::Ended) => Ok(self.model),
            (None, _) => Err(FormError::UnexpectedEnd { offset: self.fed }),
        }
    }

    /// Bytes fed so far.
    pub fn bytes(&self) -> usize {
        self.fed
    }

    /// Reads on for the delimiter; answers how much was read.
    ///
    /// The delimiter has one `\r`, its first byte: what does not go on as it does can only begin anew with a `\r`.
    fn value(&mut self, bytes: &[u8], value: Value, matched: usize) -> Result<usize, FormError> {
        let delimiter = self.boundary.delimiter();
        if matched == 0 {
            let end = memchr::memchr(b'\r', bytes).unwrap_or(bytes.len());
            self.keep(value, bytes.get(..end).unwrap_or_default())?;
            let found = end < bytes.len();
            self.state = State::Value { value, matched: usize::from(found) };
            return Ok(end + usize::from(found));
        }
        let wanted = delimiter.get(matched..).unwrap_or_default();
        let same = wanted.iter().zip(bytes).take_while(|(wanted, byte)| wanted == byte).count();
        let matched = matched + same;
        if matched == delimiter.len() {
            self.end_value(value, self.fed + same)?;
            self.state = State::Behind(None);
        } else if same == bytes.len() {
            self.state = State::Value { value, matched };
        } else {
            match value {
                Value::None => return Err(FormError::NotAtBoundary { offset: self.fed + same }),
                Value::Other => {}
                Value::Model(_) => {
                    let seen = delimiter.get(..matched).unwrap_or_default().to_vec();
                    self.keep(value, &seen)?;
                }
            }
            self.state = State::Value { value, matched: 0 };
        }
        Ok(same)
    }

    /// Keeps more of a value, if it is the model's.
    fn keep(&mut self, value: Value, bytes: &[u8]) -> Result<(), FormError> {
        let Value::Model(offset) = value else { return Ok(()) };
        if self.kept.len() + bytes.len() > MAX_MODEL {
            return Err(FormError::ModelTooLong { limit: MAX_MODEL, offset });
        }
        self.kept.extend_from_slice(bytes);
        Ok(())
    }

    /// A value has ended; its delimiter ends at `end`.
    fn end_value(&mut self, value: Value, end: usize) -> Result<(), FormError> {
        let Value::Model(start) = value else { return Ok(()) };
        let name =
            String::from_utf8(std::mem::take(&mut self.kept)).map_err(|_| FormError::ModelNotText { offset: start })?;
        let span = Span { start, end: end.saturating_sub(self.boundary.delimiter().len()) };
        self.model = Some(FormModel { name, span });
        Ok(())
    }

    fn behind(&mut self, bytes: &[u8], first: Option<u8>) -> Result<usize, FormError> {
        self.state = match (first, bytes.first()) {
            (None, Some(byte @ (b'\r' | b'-'))) => State::Behind(Some(*byte)),
            (Some(b'\r'), Some(b'\n')) => {
                self.kept.clear();
                State::Headers { start: self.fed + 1 }
            }
            (Some(b'-'), Some(b'-')) => State::Ended,
            _ => return Err(FormError::NotAtBoundary { offset: self.fed }),
        };
        Ok(1)
    }

    fn headers(&mut self, bytes: &[u8], start: usize) -> Result<usize, FormError> {
        let line = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
        let piece = bytes.get(..line).unwrap_or_default();
        if self.kept.len() + piece.len() > MAX_HEADERS {
            return Err(FormError::HeadersTooLong { limit: MAX_HEADERS, offset: start });
        }
        self.kept.extend_from_slice(piece);
        if self.kept == b"\r\n" || self.kept.ends_with(b"\r\n\r\n") {
            let value = self.begin_value(start, self.fed + line)?;
            self.kept.clear();
            // An empty value is followed by its delimiter at once, the line end included.
            self.state = State::Value { value, matched: 0 };
        }
        Ok(line)
    }

    /// The value that begins at `at`, behind headers that start at `start`.
    fn begin_value(&self, start: usize, at: usize) -> Result<Value, FormError> {
        let headers = self.kept.strip_suffix(b"\r\n").unwrap_or_default();
        let name = field(headers).ok_or(FormError::Nameless { offset: start })?;
        match (name, &self.model) {
            (b"model", None) => Ok(Value::Model(at)),
            (b"model", Some(_)) => Err(FormError::Twice { offset: at }),
            _ => Ok(Value::Other),
        }
    }
}
