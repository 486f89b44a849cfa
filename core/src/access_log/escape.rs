//! Text of clients, made harmless in a line that programs cut at spaces and `key=`.

use std::fmt::{self, Write};

/// Displays a value in which nothing can begin another field or line: letters and digits of any script and
/// most of ASCII stand for themselves; the rest is `\x20` (a byte of ASCII) or `\u{202e}`.
pub(super) struct Token<'a>(pub(super) &'a str);

/// The same with spaces as they are, for what is a sentence.
pub(super) struct Sentence<'a>(pub(super) &'a str);

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| write_char(f, c))
    }
}

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| if c == ' ' { f.write_char(c) } else { write_char(f, c) })
    }
}

fn write_char(f: &mut fmt::Formatter<'_>, c: char) -> fmt::Result {
    match c {
        // Without `=`, no value holds a `selected_pod=` that a search would find.
        '"' | '\\' | '=' => write!(f, "\\x{:02x}", u32::from(c)),
        _ if c.is_ascii_graphic() || (!c.is_ascii() && c.is_alphanumeric()) => f.write_char(c),
        _ if c.is_ascii() => write!(f, "\\x{:02x}", u32::from(c)),
        _ => write!(f, "\\u{{{:x}}}", u32::from(c)),
    }
}
