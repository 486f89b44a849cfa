//! One request's tokens, each at its time.
//!
//! Every token has a deadline counted from the request's start, not from the token before it: a
//! machine that is late once does not stay late, and a speed factor that makes tokens shorter than
//! the timer's millisecond gives bursts with the right average.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::words::Word;
use super::{Pace, Slot, Words};

/// Tokens still to come for one request.
#[derive(Debug)]
pub struct Generation {
    choices: Vec<Words>,
    /// Tokens of each choice.
    length: u32,
    /// Position of the next token, and the choice whose turn it is.
    position: u32,
    turn: usize,
    pace: Pace,
    start: Instant,
    stopping: watch::Receiver<bool>,
    /// None once every token was taken.
    slot: Option<Slot>,
}

/// One generated token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// Prompt index times `n`, plus the copy's index.
    pub choice: usize,
    /// Position in its choice, from 0.
    pub position: u32,
    /// The text it adds.
    pub text: &'static str,
    /// As the tokenizer reads the text.
    pub id: u32,
    /// Whether the choice ends with it.
    pub last: bool,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The text of each choice.
    pub texts: Vec<String>,
    /// The token ids of each choice.
    pub ids: Vec<Vec<u32>>,
    /// As [`Generation::cached_tokens`].
    pub cached_tokens: u64,
}

/// The engine was told to stop before the last token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped;

/// As good as never, and small enough to add to any clock.
const NEVER: Duration = Duration::from_secs(30 * 365 * 86_400);

// === impl Generation ===

impl Generation {
    pub(super) fn new(
        choices: Vec<Words>,
        length: u32,
        pace: Pace,
        stopping: watch::Receiver<bool>,
        slot: Slot,
    ) -> Self {
        Self { choices, length, position: 0, turn: 0, pace, start: Instant::now(), stopping, slot: Some(slot) }
    }

    /// How many choices are generated side by side.
    pub fn choices(&self) -> usize {
        self.choices.len()
    }

    /// Tokens of each choice.
    pub fn length(&self) -> u32 {
        self.length
    }

    /// Waits until the first token is there, without taking it.
    pub async fn prefill(&mut self) -> Result<(), Stopped> {
        self.reach(0).await
    }

    /// The next token; choices take turns. `None` once all are out.
    pub async fn next(&mut self) -> Result<Option<Token>, Stopped> {
        if self.position == self.length {
            self.finish();
            return Ok(None);
        }
        if self.turn == 0 {
            self.reach(self.position).await?;
        }
        let position = self.position;
        let Some(words) = self.choices.get_mut(self.turn) else {
            return Ok(None);
        };
        let Word { id, text } = words.next(position);
        let token = Token { choice: self.turn, position, text, id, last: position + 1 == self.length };
        self.turn += 1;
        if self.turn == self.choices.len() {
            self.turn = 0;
            self.position += 1;
        }
        Ok(Some(token))
    }

    /// Prompt tokens that were taken from the prefix cache, all prompts together; known from the first
    /// token on.
    pub fn cached_tokens(&self) -> u64 {
        0
    }

    /// The whole answer, when the last token's time has come.
    pub async fn complete(mut self) -> Result<Answer, Stopped> {
        self.reach(self.length - 1).await?;
        let (length, cached_tokens) = (self.length, self.cached_tokens());
        let (mut texts, mut ids) = (Vec::new(), Vec::new());
        for words in &mut self.choices {
            let (said, heard): (Vec<_>, Vec<_>) =
                (0..length).map(|position| words.next(position)).map(|word| (word.text, word.id)).unzip();
            texts.push(said.concat());
            ids.push(heard);
        }
        self.finish();
        Ok(Answer { texts, ids, cached_tokens })
    }

    fn finish(&mut self) {
        if let Some(slot) = self.slot.take() {
            slot.finish();
        }
    }

    async fn reach(&mut self, position: u32) -> Result<(), Stopped> {
        let wait = self.pace.first_token().saturating_add(self.pace.step(1).saturating_mul(position));
        let deadline = self.start.checked_add(wait).unwrap_or(self.start + NEVER);
        tokio::select! {
            biased;
            _ = self.stopping.wait_for(|stopping| *stopping) => Err(Stopped),
            () = sleep_until(deadline) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
