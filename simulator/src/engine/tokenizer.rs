//! A toy tokenizer that needs no vocabulary file: an id holds the text that it stands for, so every
//! text comes back from its ids byte by byte.
//!
//! A token is a whole word that the simulated model says, or up to four ASCII characters, or one
//! other character; one space before it belongs to it. Because the model's own words are tokens,
//! an answer that comes back in the next turn's prompt has the ids that it was generated with, and
//! meets the blocks that it left in the cache.
//!
//! An id, from the highest bit: whether a space precedes; whether the rest is a number (a character,
//! or above those a special token or one of the model's words) and not four ASCII characters of seven
//! bits, the first one lowest.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::words::WORDS;

/// What a chat template puts around messages: a token that no text gives.
pub const SPECIAL: u32 = NUMBER | FIRST_SPECIAL;

const SPACE: u32 = 1 << 31;
const NUMBER: u32 = 1 << 30;
const FIRST_SPECIAL: u32 = 0x11_0000;
const FIRST_WORD: u32 = FIRST_SPECIAL + 16;
const ASCII_PER_TOKEN: usize = 4;
const ASCII_BITS: u32 = 7;

static WORD_IDS: LazyLock<HashMap<&'static str, u32>> =
    LazyLock::new(|| (0..).zip(WORDS).map(|(index, word)| (word.trim_start(), word_id(index, false))).collect());

/// Characters of the longest token, the space before it included.
pub fn longest() -> usize {
    WORDS.iter().map(|word| word.chars().count()).max().unwrap_or_default().max(1 + ASCII_PER_TOKEN)
}

/// Appends the ids of `text`; the end of `text` also ends a token.
pub fn tokenize(text: &str, ids: &mut Vec<u32>) {
    let mut rest = text;
    while !rest.is_empty() {
        let blank = rest.len() - rest.trim_start().len();
        let (blanks, after) = rest.split_at(blank);
        let (word, next) = after.split_at(after.find(char::is_whitespace).unwrap_or(after.len()));
        let (blanks, space) = match blanks.strip_suffix(' ') {
            Some(others) if !word.is_empty() => (others, true),
            _ => (blanks, false),
        };
        pieces(blanks, false, ids);
        match WORD_IDS.get(word) {
            Some(id) => ids.push(spaced(*id, space)),
            None => pieces(word, space, ids),
        }
        rest = next;
    }
}

/// The text that an id stands for; a replacement character for an id that stands for none.
pub fn text_of(id: u32) -> String {
    let mut text = String::from(if id & SPACE == 0 { "" } else { " " });
    let rest = id & !SPACE & !NUMBER;
    if id & NUMBER == 0 {
        let characters = (0..ASCII_PER_TOKEN as u32).map(|place| (rest >> (place * ASCII_BITS)) & 0x7f);
        text.extend(characters.enumerate().filter(|(place, c)| *place == 0 || *c != 0).filter_map(|(_, c)| ascii(c)));
        return text;
    }
    match rest.checked_sub(FIRST_WORD).and_then(|index| WORDS.get(index as usize)) {
        Some(word) => text.push_str(word.trim_start()),
        None if rest == FIRST_SPECIAL => text.push_str("<|special|>"),
        None => text.push(char::from_u32(rest).unwrap_or(char::REPLACEMENT_CHARACTER)),
    }
    text
}

/// The id of the word at `index` of the model's list.
pub fn word_id(index: u32, space: bool) -> u32 {
    spaced(NUMBER | (FIRST_WORD + index), space)
}

fn ascii(code: u32) -> Option<char> {
    u8::try_from(code).ok().map(char::from)
}

fn spaced(id: u32, space: bool) -> u32 {
    if space { id | SPACE } else { id }
}

/// Cuts a run without looking for words; only its first token has the space.
fn pieces(run: &str, mut space: bool, ids: &mut Vec<u32>) {
    let mut characters = run.chars().peekable();
    while let Some(first) = characters.next() {
        let mut id = u32::from(first);
        if first.is_ascii() {
            for place in 1..ASCII_PER_TOKEN as u32 {
                // NUL stands for "no character" in all places but the first.
                let Some(next) = characters.next_if(|next| next.is_ascii() && *next != '\0') else { break };
                id |= u32::from(next) << (place * ASCII_BITS);
            }
        } else {
            id |= NUMBER;
        }
        ids.push(spaced(id, space));
        space = false;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ids(text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        tokenize(text, &mut ids);
        ids
    }

    #[test]
    fn a_token_is_a_known_word_or_four_ascii_characters_or_one_other() {
        for (text, tokens) in [
            ("", 0),
            ("  ", 1),
            ("hi", 1),
            ("four", 1),
            ("fives", 2),
            ("a b\nc", 4),
            ("東京東京東", 5),
            ("a request of the answer", 5),
            ("requests", 2),
        ] {
            assert_eq!(ids(text).len(), tokens, "{text:?}");
        }
    }

    #[test]
    fn what_the_model_says_has_one_token_a_word() {
        let said: String = WORDS.concat();
        let mut expected: Vec<u32> = (0..WORDS.len() as u32).map(|index| word_id(index, true)).collect();
        assert_eq!(ids(&said), expected);
        expected[0] = word_id(0, false);
        assert_eq!(ids(said.trim_start()), expected);
    }

    #[test]
    fn an_id_that_no_text_gives_has_a_text_all_the_same() {
        assert_eq!(text_of(SPECIAL), "<|special|>");
        assert_eq!(text_of(NUMBER | 0x3fff_ffff), "\u{fffd}");
    }

    proptest! {
        #[test]
        fn every_text_comes_back_from_its_ids(text in r"(\PC| |\n|\t|\x00|[a-z]{1,9}| request| 東京){0,40}") {
            let said: String = ids(&text).into_iter().map(text_of).collect();
            prop_assert_eq!(said, text);
        }
    }
}
