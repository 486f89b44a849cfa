//! A streamed answer, one event at a time.
//!
//! It is a body that is asked for its next event, not a task that pushes: when the connection goes,
//! the body goes with it, and so does the engine's work.

use std::convert::Infallible;

use axum::body::Body;
use bytes::Bytes;
use futures::stream;

use super::ask::UsageMode;
use super::face::Face;
use super::failure::ENGINE_DEAD_EVENT;
use crate::engine::{Generation, Stopped, Token};
use crate::wire::{Counts, DONE, Head, Piece, chat};

/// The events still to come.
#[derive(Debug)]
pub struct EventStream {
    face: Face,
    head: Head,
    generation: Generation,
    usage: UsageMode,
    /// Tokens of each prompt.
    prompts: Vec<u64>,
    totals: Counts,
    phase: Phase,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Chat only: the opening event of this choice, once the first token is there.
    Opening(usize),
    Tokens,
    Totals,
    Done,
    Ended,
}

// === impl EventStream ===

impl EventStream {
    /// `totals` are the counts at the end.
    pub fn new(
        face: Face,
        head: Head,
        generation: Generation,
        usage: UsageMode,
        prompts: Vec<u64>,
        totals: Counts,
    ) -> Self {
        let phase = match face {
            Face::Chat => Phase::Opening(0),
            Face::Completion => Phase::Tokens,
        };
        Self { face, head, generation, usage, prompts, totals, phase }
    }

    pub fn into_body(self) -> Body {
        Body::from_stream(stream::unfold(self, |mut events| async move {
            let event = events.next().await?;
            Some((Ok::<_, Infallible>(event), events))
        }))
    }

    async fn next(&mut self) -> Option<Bytes> {
        match self.advance().await {
            Ok(event) => event,
            Err(Stopped) => {
                self.phase = Phase::Done;
                Some(Bytes::from_static(ENGINE_DEAD_EVENT))
            }
        }
    }

    async fn advance(&mut self) -> Result<Option<Bytes>, Stopped> {
        loop {
            match self.phase {
                Phase::Opening(choice) => {
                    self.generation.prefill().await?;
                    let next = choice + 1;
                    self.phase = if next < self.generation.choices() { Phase::Opening(next) } else { Phase::Tokens };
                    return Ok(Some(chat::opening(&self.head, choice, self.so_far(choice, 0))));
                }
                Phase::Tokens => match self.generation.next().await? {
                    Some(token) => return Ok(Some(self.piece(&token))),
                    None if self.usage == UsageMode::Never => self.phase = Phase::Done,
                    None => self.phase = Phase::Totals,
                },
                Phase::Totals => {
                    self.phase = Phase::Done;
                    return Ok(Some(self.face.totals(&self.head, self.totals)));
                }
                Phase::Done => {
                    self.phase = Phase::Ended;
                    return Ok(Some(Bytes::from_static(DONE)));
                }
                Phase::Ended => return Ok(None),
            }
        }
    }

    fn piece(&self, token: &Token) -> Bytes {
        let piece = Piece {
            index: token.choice,
            text: token.text,
            last: token.last,
            usage: self.so_far(token.choice, u64::from(token.position) + 1),
            fingerprint: token.last && self.usage == UsageMode::Never,
        };
        self.face.piece(&self.head, &piece)
    }

    /// Counts of one choice, if the stream wants them with every event.
    fn so_far(&self, choice: usize, completion: u64) -> Option<Counts> {
        if self.usage != UsageMode::Always {
            return None;
        }
        // Choices are numbered prompt by prompt, equally many of each.
        let copies = self.generation.choices() / self.prompts.len().max(1);
        let prompt = self.prompts.get(choice / copies.max(1)).copied().unwrap_or_default();
        Some(Counts { prompt, completion })
    }
}
