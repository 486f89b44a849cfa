//! A few bytes of text without an allocation.

/// The longest text kept; `max_completion_tokens`, the longest name anyone asks for, has 21 bytes.
const CAPACITY: usize = 32;

/// A key, or another string that is only compared with short names.
#[derive(Debug, Default)]
pub(in crate::openai) struct ShortText {
    bytes: [u8; CAPACITY],
    len: usize,
    overlong: bool,
}

impl ShortText {
    /// Forgets what was kept.
    pub(in crate::openai) fn clear(&mut self) {
        self.len = 0;
        self.overlong = false;
    }

    /// Appends a piece.
    pub(in crate::openai) fn push(&mut self, piece: &str) {
        let end = self.len + piece.len();
        match self.bytes.get_mut(self.len..end) {
            Some(room) => {
                room.copy_from_slice(piece.as_bytes());
                self.len = end;
            }
            None => self.overlong = true,
        }
    }

    /// The whole text; `None` when it did not fit, since then it is no name that anyone knows.
    pub(in crate::openai) fn get(&self) -> Option<&[u8]> {
        if self.overlong { None } else { self.bytes.get(..self.len) }
    }
}
