//! Where an event ends, and its data.

use std::borrow::Cow;

/// Finds the blank lines that end events, in bytes that are cut anywhere.
///
/// A line ends with `\n`, `\r\n` or `\r`. Whether a `\n` follows a `\r` may be known a chunk later
/// only, and an event must not wait for that: it ends with the `\r`, and the `\n` comes late.
#[derive(Debug)]
pub(super) struct Boundary {
    /// Whether the current line has no byte yet.
    line_empty: bool,
    /// Whether the last byte was a `\r`.
    after_cr: bool,
    /// Whether the current event has a line.
    in_event: bool,
}

impl Boundary {
    pub(super) fn new() -> Self {
        Self { line_empty: true, after_cr: false, in_event: false }
    }

    /// The length of what `bytes` has of the current event, its blank line included; `None` when it
    /// goes on after them.
    pub(super) fn event_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut rest = bytes;
        while let Some((&byte, tail)) = rest.split_first() {
            if self.line_empty && matches!(byte, b'\n' | b'\r') {
                let blank = byte == b'\r' || !self.after_cr;
                self.after_cr = byte == b'\r';
                rest = tail;
                if blank {
                    self.in_event = false;
                    return Some(bytes.len() - rest.len());
                }
                continue;
            }
            self.in_event = true;
            self.line_empty = false;
            self.after_cr = false;
            let at = memchr::memchr2(b'\n', b'\r', rest)?;
            let (line_end, after) = rest.get(at..)?.split_first()?;
            self.after_cr = *line_end == b'\r';
            self.line_empty = true;
            rest = after;
        }
        None
    }

    /// What follows the `\n` at the start of `bytes`, when that completes the last event's `\r`.
    pub(super) fn late_line_feed<'b>(&mut self, bytes: &'b [u8]) -> Option<&'b [u8]> {
        if self.in_event || !self.after_cr {
            return None;
        }
        let after = bytes.strip_prefix(b"\n")?;
        self.after_cr = false;
        Some(after)
    }
}

/// An event's data: the values of its `data` fields, joined with `\n`.
pub(super) fn data(event: &[u8]) -> Cow<'_, [u8]> {
    let mut values = event.split(|byte| matches!(byte, b'\n' | b'\r')).filter_map(|line| {
        let value = line.strip_prefix(b"data")?;
        if value.is_empty() {
            return Some(value);
        }
        let value = value.strip_prefix(b":")?;
        Some(value.strip_prefix(b" ").unwrap_or(value))
    });
    let mut data = Cow::Borrowed(values.next().unwrap_or_default());
    for value in values {
        let joined = data.to_mut();
        joined.push(b'\n');
        joined.extend_from_slice(value);
    }
    data
}
