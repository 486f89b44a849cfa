//! What a chunk becomes: itself, uncopied, as long as nothing in it is held back.

use super::Forward;

/// The bytes that go on in a chunk's place.
pub(super) struct Forwarding<'c> {
    chunk: &'c [u8],
    /// Whether anything may be held back at all.
    enabled: bool,
    /// How much of the chunk passed while it passed unchanged.
    passed: usize,
    /// What goes on once that is something else than the chunk.
    replaced: Option<Vec<u8>>,
}

impl<'c> Forwarding<'c> {
    pub(super) fn new(chunk: &'c [u8], enabled: bool) -> Self {
        Self { chunk, enabled, passed: 0, replaced: None }
    }

    /// The chunk's next bytes pass.
    pub(super) fn pass(&mut self, bytes: &[u8]) {
        match &mut self.replaced {
            Some(replaced) => replaced.extend_from_slice(bytes),
            None => self.passed += bytes.len(),
        }
    }

    /// The chunk's next bytes do not pass, or not now.
    pub(super) fn stop(&mut self) {
        if self.enabled && self.replaced.is_none() {
            self.replaced = Some(self.chunk.get(..self.passed).unwrap_or_default().to_vec());
        }
    }

    /// Bytes held back from earlier chunks, and perhaps the chunk's next ones, pass.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.stop();
        if let Some(replaced) = &mut self.replaced {
            replaced.extend_from_slice(bytes);
        }
    }

    pub(super) fn finish(self) -> Forward {
        self.replaced.map_or(Forward::Unchanged, Forward::Replace)
    }
}
