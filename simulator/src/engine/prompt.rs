//! A prompt as the engine sees it: token ids, and a fingerprint from which the answer is drawn.

use sha2::{Digest, Sha256};

use super::random::first64;
use super::tokenizer::{SPECIAL, tokenize};

/// A prompt that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// Length in tokens.
    pub tokens: u64,
    /// Equal for equal prompts.
    pub fingerprint: u64,
    /// As many as `tokens`.
    pub ids: Vec<u32>,
    /// Length in characters, but for the template's; none if it came as token ids.
    pub characters: Option<u64>,
}

/// Reads a prompt piece by piece; text becomes tokens as [`tokenize`] says.
#[derive(Debug, Default)]
pub struct PromptReader {
    ids: Vec<u32>,
    characters: Option<u64>,
    hash: Sha256,
}

// === impl PromptReader ===

impl PromptReader {
    /// Adds text. A piece's end also ends a token.
    pub fn text(&mut self, text: &str) {
        self.separate(b't');
        self.hash.update(text.as_bytes());
        tokenize(text, &mut self.ids);
        *self.characters.get_or_insert(0) += text.chars().count() as u64;
    }

    /// Adds one token given by its id; of an id beyond 32 bits, the low ones are kept.
    pub fn token_id(&mut self, id: u64) {
        self.separate(b'i');
        self.hash.update(id.to_le_bytes());
        self.ids.push(id as u32);
    }

    /// Adds tokens that a chat template would put around the text.
    pub fn overhead(&mut self, tokens: u64) {
        self.ids.extend((0..tokens).map(|_| SPECIAL));
    }

    pub fn finish(self) -> Prompt {
        let Self { ids, characters, hash } = self;
        Prompt { tokens: ids.len() as u64, fingerprint: first64(hash), ids, characters }
    }

    /// Keeps `["ab"]` and `["a", "b"]` apart.
    fn separate(&mut self, kind: u8) {
        self.hash.update([0, kind]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&str]) -> Prompt {
        let mut reader = PromptReader::default();
        for piece in pieces {
            reader.text(piece);
        }
        reader.finish()
    }

    #[test]
    fn prompts_that_differ_only_in_their_cuts_have_other_fingerprints() {
        assert_eq!(read(&["a", "b"]), read(&["a", "b"]));
        assert_ne!(read(&["a", "b"]).fingerprint, read(&["ab"]).fingerprint);
    }

    #[test]
    fn a_token_id_is_a_token_and_so_is_each_of_the_template() {
        let mut reader = PromptReader::default();
        reader.token_id(7);
        reader.overhead(2);
        let prompt = reader.finish();
        assert_eq!((prompt.tokens, prompt.ids), (3, vec![7, SPECIAL, SPECIAL]));
    }
}
