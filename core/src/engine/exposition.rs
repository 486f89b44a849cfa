//! Prometheus' text format and OpenMetrics, as far as single samples go: lines, names, labels, values.
//!
//! Formats: <https://prometheus.io/docs/instrumenting/exposition_formats/> and
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>. Of a sample `name{labels} value [timestamp] [# exemplar]`
//! what follows the value is not looked at; of `#` lines only which metric they announce.

use memchr::{memchr, memchr2, memchr3};
use std::str;

/// Of longer lines no more than the name counts. The longest that is read lists LoRA adapters by name.
const MAX_LINE: usize = 16 << 10;

/// Cuts chunks into lines; keeps a line only where it crosses two chunks.
#[derive(Debug, Default)]
pub(super) struct Lines {
    begun: Vec<u8>,
    overlong: bool,
}

/// A sample whose name is known already.
#[derive(Debug, PartialEq)]
pub(super) struct Sample<'a> {
    pub(super) labels: Labels<'a>,
    pub(super) value: f64,
}

/// What is between the braces.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Labels<'a>(pub(super) &'a [u8]);

// === impl Lines ===

impl Lines {
    /// Gives lines to `each`, one beyond the bound as its beginning; the flag says whether it is whole.
    pub(super) fn feed(&mut self, mut chunk: &[u8], mut each: impl FnMut(&[u8], bool)) {
        while let Some((line, rest)) = memchr(b'\n', chunk).and_then(|end| chunk.split_at_checked(end)) {
            chunk = rest.get(1..).unwrap_or_default();
            if self.begun.is_empty() {
                let kept = line.get(..MAX_LINE).unwrap_or(line);
                each(kept, kept.len() == line.len());
            } else {
                self.keep(line);
                self.end(&mut each);
            }
        }
        self.keep(chunk);
    }

    /// The page is over: its last line may lack a line feed.
    pub(super) fn finish(&mut self, mut each: impl FnMut(&[u8], bool)) {
        self.end(&mut each);
    }

    fn keep(&mut self, part: &[u8]) {
        let room = MAX_LINE.saturating_sub(self.begun.len());
        self.overlong |= part.len() > room;
        self.begun.extend_from_slice(part.get(..room).unwrap_or(part));
    }

    fn end(&mut self, each: &mut impl FnMut(&[u8], bool)) {
        each(&self.begun, !self.overlong);
        self.begun.clear();
        self.overlong = false;
    }
}

/// The name at a line's beginning, and what follows it. For a comment the name is empty or begins with `#`.
pub(super) fn name(line: &[u8]) -> (&[u8], &[u8]) {
    line.split_at_checked(memchr3(b'{', b' ', b'\t', line).unwrap_or(line.len())).unwrap_or((line, &[]))
}

/// What follows `# HELP ` or `# TYPE `: the name of a metric, and more.
pub(super) fn announced(line: &[u8]) -> Option<&[u8]> {
    let comment = line.strip_prefix(b"#")?.trim_ascii_start();
    let rest = comment.strip_prefix(b"HELP").or_else(|| comment.strip_prefix(b"TYPE"))?;
    rest.first()?.is_ascii_whitespace().then(|| rest.trim_ascii_start())
}

// === impl Sample ===

impl<'a> Sample<'a> {
    /// Reads what follows a name; `None` for what is no sample.
    pub(super) fn after_name(rest: &'a [u8]) -> Option<Self> {
        let rest = rest.trim_ascii_start();
        let (labels, rest) = match rest.strip_prefix(b"{") {
            Some(inside) => {
                let (labels, rest) = inside.split_at_checked(closing_brace(inside)?)?;
                (labels, rest.get(1..)?.trim_ascii_start())
            }
            None => (&[][..], rest),
        };
        let value = rest.split(u8::is_ascii_whitespace).next()?;
        Some(Self { labels: Labels(labels), value: str::from_utf8(value).ok()?.parse().ok()? })
    }
}

/// Where the brace is that no label's value holds.
fn closing_brace(labels: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr2(b'}', b'"', labels.get(at..)?)?;
        if labels.get(at) == Some(&b'}') {
            return Some(at);
        }
        at += 1;
        at += closing_quote(labels.get(at..)?)? + 1;
    }
}

/// Where the quote is that no backslash escapes.
fn closing_quote(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', text.get(at..)?)?;
        if text.get(at) == Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

// === impl Labels ===

impl<'a> Labels<'a> {
    /// A label's value as it is written, escapes and all.
    pub(super) fn raw(self, name: &str) -> Option<&'a [u8]> {
        self.pairs().find(|(found, _)| *found == name.as_bytes()).map(|(_, value)| value)
    }

    /// A label's value. Bytes that are no UTF-8 become U+FFFD.
    pub(super) fn value(self, name: &str) -> Option<String> {
        let raw = self.raw(name)?;
        let mut bytes = Vec::with_capacity(raw.len());
        let mut rest = raw.iter();
        while let Some(&byte) = rest.next() {
            bytes.push(match byte {
                b'\\' => match rest.next() {
                    Some(b'n') => b'\n',
                    Some(&escaped) => escaped,
                    None => b'\\',
                },
                byte => byte,
            });
        }
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn pairs(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (name, after) = rest.split_at_checked(memchr(b'=', rest)?)?;
            let value = after.get(1..)?.trim_ascii_start().strip_prefix(b"\"")?;
            let (value, after) = value.split_at_checked(closing_quote(value)?)?;
            rest = after.get(1..)?.trim_ascii_start();
            rest = rest.strip_prefix(b",").unwrap_or(rest);
            Some((name.trim_ascii(), value))
        })
    }
}

#[cfg(test)]
mod tests;
