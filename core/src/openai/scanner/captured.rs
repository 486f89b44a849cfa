//! What is kept of the string being read.

use crate::openai::lexer::ShortText;

/// The longest string kept whole, in bytes after unescaping. Names of models and users are short;
/// without a bound a hostile one would be copied out of the body megabyte by megabyte.
pub(super) const MAX_NAME: usize = 4096;

/// The string being read.
#[derive(Debug, Default)]
pub(super) struct Captured {
    keep: Keep,
    name: String,
    overlong: bool,
    short: ShortText,
    chars: u64,
}

/// What is wanted of a string.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    #[default]
    Nothing,
    /// Its text.
    Name,
    /// Its text, to compare it with a short one.
    Short,
    /// The number of its code points.
    Length,
}

impl Captured {
    /// A string begins.
    pub(super) fn start(&mut self, keep: Keep) {
        self.keep = keep;
        self.name.clear();
        self.overlong = false;
        self.short.clear();
        self.chars = 0;
    }

    /// Takes the next piece of it.
    pub(super) fn push(&mut self, piece: &str) {
        match self.keep {
            Keep::Nothing => {}
            Keep::Name if self.overlong => {}
            Keep::Name if self.name.len() + piece.len() > MAX_NAME => self.overlong = true,
            Keep::Name => self.name.push_str(piece),
            Keep::Short => self.short.push(piece),
            Keep::Length => self.chars += code_points(piece),
        }
    }

    /// Whether the name is longer than is kept.
    pub(super) fn overlong(&self) -> bool {
        self.overlong
    }

    /// The name, unless it was too long.
    pub(super) fn take_name(&mut self) -> Option<String> {
        (!self.overlong).then(|| std::mem::take(&mut self.name))
    }

    /// Whether the text is one of these.
    pub(super) fn is_one_of(&self, texts: &[&[u8]]) -> bool {
        self.short.get().is_some_and(|short| texts.contains(&short))
    }

    /// Whether engines take the text for `true`: pydantic's words, in any case
    /// (<https://docs.pydantic.dev/latest/api/standard_library_types/#booleans>).
    pub(super) fn is_on(&self) -> bool {
        let words: [&[u8]; 6] = [b"1", b"on", b"t", b"true", b"y", b"yes"];
        self.short.get().is_some_and(|short| words.iter().any(|word| short.eq_ignore_ascii_case(word)))
    }

    /// The string's code points.
    pub(super) fn chars(&self) -> u64 {
        self.chars
    }
}
/// How many there are: all bytes but those that go on with a character. In steps that a byte can count, as many bytes at
/// once then fit a vector.
fn code_points(text: &str) -> u64 {
    let starts = |bytes: &[u8]| bytes.iter().fold(0u8, |count, byte| count + u8::from(*byte & 0xc0 != 0x80));
    text.as_bytes().chunks(255).map(|bytes| u64::from(starts(bytes))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn code_points_are_counted_as_by_char(text in ".{0,700}") {
            prop_assert_eq!(code_points(&text), text.chars().count() as u64);
        }
    }
}
