//! A prompt, measured and then forgotten: its length in tokens and a fingerprint are all that
//! pacing and text need, so five megabytes of prompt are not held while the answer streams.

use sha2::{Digest, Sha256};

use super::random::first64;

/// What the engine keeps of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prompt {
    /// Length in tokens, as [`PromptReader`] estimates it.
    pub tokens: u64,
    /// Equal for equal prompts.
    pub fingerprint: u64,
}

/// Measures a prompt piece by piece.
///
/// The estimate: every word (a run without white space) is one token for each started four
/// characters, which is about what byte-pair tokenizers give for English. An explicit token id is
/// one token.
#[derive(Debug, Default)]
pub struct PromptReader {
    tokens: u64,
    hash: Sha256,
}

const CHARACTERS_PER_TOKEN: usize = 4;

// === impl PromptReader ===

impl PromptReader {
    /// Adds text. A piece's end also ends a word.
    pub fn text(&mut self, text: &str) {
        self.separate(b't');
        self.hash.update(text.as_bytes());
        self.tokens +=
            text.split_whitespace().map(|word| word.chars().count().div_ceil(CHARACTERS_PER_TOKEN) as u64).sum::<u64>();
    }

    /// Adds one token given by its id.
    pub fn token_id(&mut self, id: u64) {
        self.separate(b'i');
        self.hash.update(id.to_le_bytes());
        self.tokens += 1;
    }

    /// Adds tokens that a chat template would put around the text.
    pub fn overhead(&mut self, tokens: u64) {
        self.tokens += tokens;
    }

    pub fn finish(self) -> Prompt {
        Prompt { tokens: self.tokens, fingerprint: first64(self.hash) }
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
    fn a_word_is_one_token_for_each_started_four_characters() {
        for (text, tokens) in
            [("", 0), ("  ", 0), ("hi", 1), ("four", 1), ("fives", 2), ("a b\nc", 3), ("東京東京東", 2)]
        {
            assert_eq!(read(&[text]).tokens, tokens, "{text:?}");
        }
    }

    #[test]
    fn prompts_that_differ_only_in_their_cuts_have_other_fingerprints() {
        assert_eq!(read(&["a", "b"]), read(&["a", "b"]));
        assert_ne!(read(&["a", "b"]).fingerprint, read(&["ab"]).fingerprint);
    }

    #[test]
    fn a_token_id_is_a_token() {
        let mut reader = PromptReader::default();
        reader.token_id(7);
        reader.token_id(8);
        assert_eq!(reader.finish().tokens, 2);
    }
}
