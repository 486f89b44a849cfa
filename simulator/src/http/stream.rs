//! A streamed answer, one event at a time.
//!
//! It is a body that is asked for its next event, not a task that pushes: when the connection goes,
//! the body goes with it, and so does the engine's work.

use std::convert::Infallible;

use axum::body::Body;
use bytes::Bytes;
use futures::stream;

use super::failure::{ENGINE_DEAD, Failure};
use super::stops::Stops;
use crate::engine::{Generation, Stopped};
use crate::wire::{Counts, Event, Script};

/// The events still to come.
#[derive(Debug)]
pub struct EventStream {
    script: Box<dyn Script>,
    generation: Generation,
    /// Those at the end; what was cached is known from the first token on.
    counts: Counts,
    stops: Stops,
    phase: Phase,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Begin,
    Open,
    Tokens,
    Ended,
}

// === impl EventStream ===

impl EventStream {
    /// `counts` are those at the end, if no stop comes before.
    pub fn new(script: Box<dyn Script>, generation: Generation, counts: Counts, stops: Stops) -> Self {
        Self { script, generation, counts, stops, phase: Phase::Begin }
    }

    pub fn into_body(self) -> Body {
        Body::from_stream(stream::unfold(self, |mut events| async move {
            let event = events.next().await?;
            Some((Ok::<_, Infallible>(event), events))
        }))
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let mut event = Event::default();
            if let Err(Stopped) = self.advance(&mut event).await? {
                self.phase = Phase::Ended;
                let code = Failure::ENGINE_DEAD_STATUS.as_u16();
                self.script.fail(ENGINE_DEAD, Failure::ENGINE_DEAD_KIND, code, &mut event);
            }
            if let Some(bytes) = event.finish() {
                return Some(bytes);
            }
        }
    }

    /// Writes the events of the next phase, which may be none. `None` if there is no next phase.
    async fn advance(&mut self, to: &mut Event) -> Option<Result<(), Stopped>> {
        match self.phase {
            Phase::Begin => {
                self.script.begin(to);
                self.phase = Phase::Open;
            }
            Phase::Open => {
                if self.generation.prefill().await.is_err() {
                    return Some(Err(Stopped));
                }
                self.counts.cached = self.generation.cached_tokens();
                for choice in 0..self.generation.choices() {
                    self.script.open(choice, self.counts, to);
                }
                self.phase = Phase::Tokens;
            }
            Phase::Tokens => match self.generation.next().await {
                Ok(Some(token)) => {
                    if let Some(told) = self.stops.tell(&token) {
                        if told.stop.is_some() {
                            self.counts.completion -= u64::from(self.generation.length() - token.position - 1);
                        }
                        self.script.token(&told.piece(&token), to);
                    }
                    if self.stops.all_ended() {
                        self.script.close(self.counts, to);
                        self.phase = Phase::Ended;
                    }
                }
                Ok(None) => {
                    self.script.close(self.counts, to);
                    self.phase = Phase::Ended;
                }
                Err(Stopped) => return Some(Err(Stopped)),
            },
            Phase::Ended => return None,
        }
        Some(Ok(()))
    }
}
