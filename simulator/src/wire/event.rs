//! A few bytes of JSON at a time: what changes from token to token is written between what does not.

use bytes::Bytes;

/// One or more server-sent events being written.
#[derive(Debug)]
pub struct Event(Vec<u8>);

/// Longer than most events, so that one allocation does.
const USUAL_BYTES: usize = 384;

// === impl Event ===

impl Event {
    /// Bytes as they are.
    pub fn raw(&mut self, text: &str) -> &mut Self {
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    /// A JSON string.
    pub fn text(&mut self, text: &str) -> &mut Self {
        super::write(&mut self.0, &text);
        self
    }

    /// A JSON number.
    pub fn number(&mut self, number: u64) -> &mut Self {
        super::write(&mut self.0, &number);
        self
    }

    /// A JSON list of numbers, or null.
    pub fn ids(&mut self, ids: Option<&[u32]>) -> &mut Self {
        super::write(&mut self.0, &ids);
        self
    }

    /// Any value.
    pub fn json(&mut self, value: &impl serde::Serialize) -> &mut Self {
        super::write(&mut self.0, value);
        self
    }

    /// What was written; nothing if there was nothing to say.
    pub fn finish(self) -> Option<Bytes> {
        (!self.0.is_empty()).then(|| self.0.into())
    }
}

impl Default for Event {
    fn default() -> Self {
        Self(Vec::with_capacity(USUAL_BYTES))
    }
}
