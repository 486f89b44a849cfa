//! The text of an answer: a token is a word, drawn from a short list by a seed.

use super::tokenizer::word_id;
use super::{Prompt, SplitMix64, digest64};

/// An endless text that depends on seed, model, prompt and copy only.
#[derive(Debug, Clone)]
pub struct Words(SplitMix64);

/// One word of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// As the tokenizer reads the text.
    pub id: u32,
    pub text: &'static str,
}

/// Each with its leading space, as byte-pair tokens have it. A few are wider than ASCII or need
/// escaping in JSON, so that whatever carries the text is tried on them.
pub const WORDS: [&str; 64] = [
    " the", " a", " of", " and", " to", " in", " is", " that", " it", " as", " for", " with", " on", " by", " this",
    " are", " from", " or", " an", " be", " which", " at", " one", " can", " has", " more", " when", " each", " model",
    " token", " answer", " request", " cloud", " river", " light", " stone", " small", " quick", " quiet", " bright",
    " open", " new", " long", " north", " hand", " house", " word", " time", " day", " year", " work", " line",
    " side", " part", " then", " here", " so", " but", " naïve", " café", " 東京", " 🙂", " \"yes\"", " a\\b",
];

// === impl Words ===

impl Words {
    pub fn new(seed: u64, model: &str, prompt: &Prompt, copy: usize) -> Self {
        Self(SplitMix64::new(digest64(&[
            &seed.to_le_bytes(),
            model.as_bytes(),
            &prompt.fingerprint.to_le_bytes(),
            &(copy as u64).to_le_bytes(),
        ])))
    }

    /// The next word; the one at position 0 has no leading space.
    pub fn next(&mut self, position: u32) -> Word {
        let index = (self.0.next() % WORDS.len() as u64) as u32;
        let word = WORDS.get(index as usize).copied().unwrap_or(" the");
        let text = if position == 0 { word.trim_start() } else { word };
        Word { id: word_id(index, position != 0), text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROMPT: Prompt = Prompt { tokens: 0, fingerprint: 5, ids: Vec::new(), characters: None };

    fn text(mut words: Words) -> String {
        (0..12).map(|position| words.next(position).text).collect()
    }

    #[test]
    fn equal_seeds_models_and_prompts_say_the_same() {
        assert_eq!(text(Words::new(1, "m", &PROMPT, 0)), text(Words::new(1, "m", &PROMPT, 0)));
    }

    #[test]
    fn another_seed_model_prompt_or_copy_says_something_else() {
        let said = text(Words::new(1, "m", &PROMPT, 0));
        let other = Prompt { fingerprint: 6, ..PROMPT };
        for words in [
            Words::new(2, "m", &PROMPT, 0),
            Words::new(1, "n", &PROMPT, 0),
            Words::new(1, "m", &other, 0),
            Words::new(1, "m", &PROMPT, 1),
        ] {
            assert_ne!(text(words), said);
        }
    }
}
