//! The inside of a JSON string, in pieces.
//!
//! A prompt is megabytes of plain text with an escape here and there, so the plain runs are found
//! by a vectorised search and checked whole; only escapes and the few bytes of a character that a
//! chunk boundary cuts are handled one by one. Nothing is collected: decoded pieces are handed on.

use super::ScanError;

/// A string being read: what the bytes since the last complete character were.
#[derive(Debug, Default)]
pub(in crate::openai) struct Text {
    escape: Escape,
    /// A high surrogate escape that its low half may still follow.
    high: Option<u16>,
    cut: CutChar,
    escaped: bool,
}

#[derive(Debug, Default, Clone, Copy)]
enum Escape {
    #[default]
    None,
    /// After the backslash.
    Open,
    /// After `\u` and so many of its four digits.
    Hex { digits: u8, value: u16 },
}

/// The first bytes of a character whose others are in the next chunk.
#[derive(Debug, Default)]
struct CutChar {
    bytes: [u8; 4],
    len: usize,
}

/// How far a chunk went.
pub(in crate::openai) enum Progress<'c> {
    /// The closing quote was read; this is what follows it.
    Closed(&'c [u8]),
    /// The chunk ended inside the string.
    More,
}

/// What takes a string's decoded pieces, in order; they are cut at arbitrary characters.
pub(in crate::openai) trait Pieces: FnMut(&str) -> Result<(), ScanError> {}
impl<F: FnMut(&str) -> Result<(), ScanError>> Pieces for F {}

impl Text {
    /// Whether a backslash escape was met.
    pub(super) fn escaped(&self) -> bool {
        self.escaped
    }

    /// Whether the next byte begins something: a character, an escape, or the end.
    pub(in crate::openai) fn is_between_escapes(&self) -> bool {
        matches!(self.escape, Escape::None) && self.high.is_none() && self.cut.len == 0
    }

    /// Reads `rest`, the end of a chunk that ends at byte `end` of the body.
    ///
    /// What precedes a fault is handed to `pieces` before the fault is returned: so which of two
    /// faults is reported does not depend on where the chunks were cut.
    pub(in crate::openai) fn read<'c>(
        &mut self,
        mut rest: &'c [u8],
        end: usize,
        pieces: &mut impl Pieces,
    ) -> Result<Progress<'c>, ScanError> {
        while let Some((&byte, tail)) = rest.split_first() {
            let offset = end - rest.len();
            if self.cut.len > 0 {
                self.cut.push(byte, offset, pieces)?;
                rest = tail;
                continue;
            }
            match self.escape {
                Escape::None => {}
                Escape::Open => {
                    self.open_escape(byte, offset, pieces)?;
                    rest = tail;
                    continue;
                }
                Escape::Hex { digits, value } => {
                    self.hex_digit(byte, offset, digits, value, pieces)?;
                    rest = tail;
                    continue;
                }
            }
            let stop = memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
            let (plain, tail) = rest.split_at_checked(stop).unwrap_or((rest, &[]));
            if !plain.is_empty() {
                self.lone_surrogate(pieces)?;
                self.plain(plain, offset, tail.is_empty(), pieces)?;
            }
            match tail.split_first() {
                Some((b'"', after)) => {
                    self.lone_surrogate(pieces)?;
                    return Ok(Progress::Closed(after));
                }
                Some((_, after)) => {
                    self.escaped = true;
                    self.escape = Escape::Open;
                    rest = after;
                }
                None => rest = tail,
            }
        }
        Ok(Progress::More)
    }

    /// A run without quotes and backslashes; `cut` says that the chunk ends with it.
    fn plain(&mut self, plain: &[u8], offset: usize, cut: bool, pieces: &mut impl Pieces) -> Result<(), ScanError> {
        // Without an early exit the test for control characters runs on vectors.
        let has_control = plain.iter().fold(false, |found, byte| found | (*byte < 0x20));
        let control = has_control.then(|| plain.iter().position(|byte| *byte < 0x20)).flatten();
        let clean = control.and_then(|at| plain.get(..at)).unwrap_or(plain);
        let broken = match simdutf8::compat::from_utf8(clean) {
            Ok(text) => {
                pieces(text)?;
                None
            }
            Err(error) => {
                let (valid, broken) = clean.split_at_checked(error.valid_up_to()).unwrap_or((&[], clean));
                pieces(str::from_utf8(valid).unwrap_or_default())?;
                Some((broken, error.error_len().is_none()))
            }
        };
        match (broken, control) {
            (Some((start, true)), None) if cut => {
                self.cut.start(start);
                Ok(())
            }
            (Some((broken, _)), _) => Err(ScanError::InvalidUtf8 { offset: offset + clean.len() - broken.len() }),
            (None, Some(at)) => Err(ScanError::ControlCharacter {
                found: plain.get(at).copied().unwrap_or_default(),
                offset: offset + at,
            }),
            (None, None) => Ok(()),
        }
    }

    fn open_escape(&mut self, byte: u8, offset: usize, pieces: &mut impl Pieces) -> Result<(), ScanError> {
        let plain = match byte {
            b'u' => {
                self.escape = Escape::Hex { digits: 0, value: 0 };
                return Ok(());
            }
            b'"' => "\"",
            b'\\' => "\\",
            b'/' => "/",
            b'b' => "\u{8}",
            b'f' => "\u{c}",
            b'n' => "\n",
            b'r' => "\r",
            b't' => "\t",
            found => return Err(ScanError::InvalidEscape { found, offset }),
        };
        self.escape = Escape::None;
        self.lone_surrogate(pieces)?;
        pieces(plain)
    }

    fn hex_digit(
        &mut self,
        byte: u8,
        offset: usize,
        digits: u8,
        value: u16,
        pieces: &mut impl Pieces,
    ) -> Result<(), ScanError> {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            found => return Err(ScanError::InvalidEscape { found, offset }),
        };
        let value = value << 4 | u16::from(digit);
        if digits < 3 {
            self.escape = Escape::Hex { digits: digits + 1, value };
            return Ok(());
        }
        self.escape = Escape::None;
        self.unit(value, pieces)
    }

    /// A UTF-16 code unit from an escape. Lone surrogates pass, as Python's and Go's decoders let
    /// them: an engine would accept the body, so it is not ours to refuse.
    fn unit(&mut self, unit: u16, pieces: &mut impl Pieces) -> Result<(), ScanError> {
        if let (Some(high), 0xdc00..=0xdfff) = (self.high, unit) {
            self.high = None;
            let code = 0x10000 + (u32::from(high - 0xd800) << 10 | u32::from(unit - 0xdc00));
            return character(code, pieces);
        }
        self.lone_surrogate(pieces)?;
        if let 0xd800..=0xdbff = unit {
            self.high = Some(unit);
            return Ok(());
        }
        character(u32::from(unit), pieces)
    }

    /// The pending high surrogate, if any, has no low half.
    fn lone_surrogate(&mut self, pieces: &mut impl Pieces) -> Result<(), ScanError> {
        match self.high.take() {
            Some(high) => character(u32::from(high), pieces),
            None => Ok(()),
        }
    }
}

impl CutChar {
    fn start(&mut self, bytes: &[u8]) {
        self.len = 0;
        for (slot, byte) in self.bytes.iter_mut().zip(bytes) {
            *slot = *byte;
            self.len += 1;
        }
    }

    fn push(&mut self, byte: u8, offset: usize, pieces: &mut impl Pieces) -> Result<(), ScanError> {
        let broken = ScanError::InvalidUtf8 { offset: offset - self.len };
        *self.bytes.get_mut(self.len).ok_or(broken)? = byte;
        self.len += 1;
        match str::from_utf8(self.bytes.get(..self.len).unwrap_or_default()) {
            Ok(text) => {
                self.len = 0;
                pieces(text)
            }
            Err(error) if error.error_len().is_none() => Ok(()),
            Err(_) => Err(broken),
        }
    }
}

/// Hands on one code point; a surrogate becomes U+FFFD.
fn character(code: u32, pieces: &mut impl Pieces) -> Result<(), ScanError> {
    let char = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    pieces(char.encode_utf8(&mut [0; 4]))
}
