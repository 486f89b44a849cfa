//! Why a request body was refused, and at which byte.

/// A body that is not one JSON object, or one that exceeds a bound of the scanner.
///
/// Its text is shown to the client with status 400, so it names the offending byte (an offset from
/// the start of the body) and never quotes more of the body than that one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// A byte that JSON does not allow at this place.
    #[error("unexpected {} at byte {offset}", shown(*found))]
    Unexpected {
        /// The byte found.
        found: u8,
        /// Where it is.
        offset: usize,
    },
    /// The body's first value is something else than an object.
    #[error("expected a JSON object, found {} at byte {offset}", shown(*found))]
    NotAnObject {
        /// The byte found instead of the opening brace.
        found: u8,
        /// Where it is.
        offset: usize,
    },
    /// The body ended inside the object, or before it began.
    #[error("unexpected end of the body at byte {offset}")]
    UnexpectedEnd {
        /// The length of the body.
        offset: usize,
    },
    /// An unescaped control character (U+0000 to U+001F) in a string.
    #[error("control character 0x{found:02x} must be escaped in a string at byte {offset}")]
    ControlCharacter {
        /// The byte found.
        found: u8,
        /// Where it is.
        offset: usize,
    },
    /// A backslash that none of `"\/bfnrt` or `u` with four hexadecimal digits follows.
    #[error("invalid escape with {} at byte {offset}", shown(*found))]
    InvalidEscape {
        /// The byte found where the escape goes wrong.
        found: u8,
        /// Where it is.
        offset: usize,
    },
    /// A string that is not UTF-8.
    #[error("invalid UTF-8 in a string at byte {offset}")]
    InvalidUtf8 {
        /// Where the broken sequence starts.
        offset: usize,
    },
    /// Objects and arrays nested beyond the bound.
    #[error("nested deeper than {limit} levels at byte {offset}")]
    TooDeep {
        /// The deepest nesting accepted; the body's own object is level 1.
        limit: usize,
        /// Where the container too many opens.
        offset: usize,
    },
    /// A field that the scanner keeps is longer than it may be.
    #[error("`{field}` is longer than {limit} bytes at byte {offset}")]
    TooLong {
        /// The top-level field's name.
        field: &'static str,
        /// The longest value accepted, in bytes of UTF-8 after unescaping.
        limit: usize,
        /// Where the value starts.
        offset: usize,
    },
    /// Something else than whitespace after the object (upstream Kthena's text).
    #[error("invalid request body at byte {offset}")]
    TrailingData {
        /// Where it starts.
        offset: usize,
    },
}

impl ScanError {
    /// Bytes from the start of the body to the fault.
    pub fn offset(&self) -> usize {
        match *self {
            Self::Unexpected { offset, .. }
            | Self::NotAnObject { offset, .. }
            | Self::UnexpectedEnd { offset }
            | Self::ControlCharacter { offset, .. }
            | Self::InvalidEscape { offset, .. }
            | Self::InvalidUtf8 { offset }
            | Self::TooDeep { offset, .. }
            | Self::TooLong { offset, .. }
            | Self::TrailingData { offset } => offset,
        }
    }
}

/// A byte as a person can read it: a lone byte of a UTF-8 sequence has no character.
fn shown(byte: u8) -> String {
    if byte.is_ascii_graphic() || byte == b' ' {
        format!("character '{}'", char::from(byte))
    } else {
        format!("byte 0x{byte:02x}")
    }
}
