//! Strings, and contents made of several.

use super::MAX_PARTS;
use crate::openai::Span;

/// One string of the body.
#[derive(Debug, Clone, Copy)]
pub(in crate::openai) struct Text {
    /// The string without its quotes.
    pub(in crate::openai) span: Span,
    /// Whether it contains escapes.
    pub(in crate::openai) escaped: bool,
    /// Its code points after unescaping.
    pub(in crate::openai) chars: u64,
}

/// The strings of one message's content, which count as joined with `\n`.
#[derive(Debug, Default)]
pub(super) struct Content {
    kept: Vec<Text>,
    len: usize,
    chars: u64,
}

impl Content {
    /// Appends a string; beyond the bound it is only counted.
    pub(super) fn push(&mut self, text: Text) {
        self.chars += text.chars + u64::from(self.len > 0);
        self.len += 1;
        if self.kept.len() < MAX_PARTS {
            self.kept.push(text);
        }
    }

    /// Forgets everything but the buffer.
    pub(super) fn clear(&mut self) {
        self.kept.clear();
        self.len = 0;
        self.chars = 0;
    }

    /// The strings kept.
    pub(super) fn kept(&self) -> &[Text] {
        &self.kept
    }

    /// Whether there were more.
    pub(super) fn truncated(&self) -> bool {
        self.kept.len() < self.len
    }

    /// The code points of all strings joined.
    pub(super) fn chars(&self) -> u64 {
        self.chars
    }
}

impl From<Text> for Content {
    fn from(text: Text) -> Self {
        Self { kept: vec![text], len: 1, chars: text.chars }
    }
}
