//! One request's tokens, as they come.

use std::sync::Arc;
use std::task::Poll;

use futures::future::poll_fn;

use super::Place;
use super::progress::Progress;
use super::words::{Word, Words};

/// Tokens still to come for one request.
#[derive(Debug)]
pub struct Generation {
    choices: Vec<Choice>,
    /// Tokens of each choice.
    length: u32,
    /// The choice that is looked at next, and the tokens that were not taken yet.
    turn: usize,
    left: u64,
    progress: Arc<Progress>,
    /// None once every token was taken.
    place: Option<Place>,
}

#[derive(Debug)]
struct Choice {
    words: Words,
    /// Tokens that were taken.
    taken: u32,
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

// === impl Generation ===

impl Generation {
    pub(super) fn new(choices: Vec<Words>, length: u32, progress: Arc<Progress>, place: Place) -> Self {
        let left = choices.len() as u64 * u64::from(length);
        let choices = choices.into_iter().map(|words| Choice { words, taken: 0 }).collect();
        Self { choices, length, turn: 0, left, progress, place: Some(place) }
    }

    /// How many choices are generated side by side.
    pub fn choices(&self) -> usize {
        self.choices.len()
    }

    /// Tokens of each choice.
    pub fn length(&self) -> u32 {
        self.length
    }

    /// Prompt tokens that were taken from the prefix cache, all prompts together; known as far as
    /// their first tokens are there.
    pub fn cached_tokens(&self) -> u64 {
        self.progress.cached()
    }

    /// Waits until the first token of all is there, without taking it.
    pub async fn prefill(&mut self) -> Result<(), Stopped> {
        self.wait(|progress| progress.done(0) > 0).await
    }

    /// The next token; choices take turns as far as they have tokens. `None` once all are out.
    pub async fn next(&mut self) -> Result<Option<Token>, Stopped> {
        if self.left == 0 {
            self.finish();
            return Ok(None);
        }
        let progress = Arc::clone(&self.progress);
        poll_fn(|context| {
            if progress.is_stopped() {
                return Poll::Ready(Err(Stopped));
            }
            if let Some(token) = self.take() {
                return Poll::Ready(Ok(Some(token)));
            }
            progress.watch(context);
            // What came between the look and the registration woke nobody.
            match self.take() {
                Some(token) => Poll::Ready(Ok(Some(token))),
                None if progress.is_stopped() => Poll::Ready(Err(Stopped)),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// The whole answer, when the last token's time has come.
    pub async fn complete(mut self) -> Result<Answer, Stopped> {
        self.progress.wait_for_all();
        self.wait(Progress::is_complete).await?;
        let (length, cached_tokens) = (self.length, self.cached_tokens());
        let (mut texts, mut ids) = (Vec::new(), Vec::new());
        for choice in &mut self.choices {
            let (said, heard): (Vec<_>, Vec<_>) =
                (0..length).map(|position| choice.words.next(position)).map(|word| (word.text, word.id)).unzip();
            texts.push(said.concat());
            ids.push(heard);
        }
        self.finish();
        Ok(Answer { texts, ids, cached_tokens })
    }

    /// A token that is there, of the first choice from `turn` on that has one.
    fn take(&mut self) -> Option<Token> {
        let count = self.choices.len();
        for offset in 0..count {
            let index = (self.turn + offset) % count;
            let choice = self.choices.get_mut(index)?;
            let position = choice.taken;
            if position >= self.length || position >= self.progress.done(index) {
                continue;
            }
            let Word { id, text } = choice.words.next(position);
            choice.taken += 1;
            self.left -= 1;
            self.turn = index + 1;
            return Some(Token { choice: index, position, text, id, last: choice.taken == self.length });
        }
        None
    }

    async fn wait(&self, there: impl Fn(&Progress) -> bool) -> Result<(), Stopped> {
        let look = || match (self.progress.is_stopped(), there(&self.progress)) {
            (true, _) => Poll::Ready(Err(Stopped)),
            (false, true) => Poll::Ready(Ok(())),
            (false, false) => Poll::Pending,
        };
        poll_fn(|context| {
            if let Poll::Ready(outcome) = look() {
                return Poll::Ready(outcome);
            }
            self.progress.watch(context);
            look()
        })
        .await
    }

    fn finish(&mut self) {
        if let Some(place) = self.place.take() {
            place.finish();
        }
    }
}

#[cfg(test)]
mod tests;
