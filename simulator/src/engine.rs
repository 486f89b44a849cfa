//! The engine: which tokens come, and when.
//!
//! It knows nothing of HTTP or JSON. A face gives it [`Work`] and takes tokens from the
//! [`Generation`]; dropping the generation is how a client that went away is noticed, so no work is
//! ever done for a closed stream. Each generation is one timer, not one thread.

mod generation;
mod pace;
mod prompt;
mod random;
mod words;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

pub use generation::{Generation, Stopped, Token};
pub use pace::{Pace, parse_speed};
pub use prompt::{Prompt, PromptReader};
pub use random::{SplitMix64, digest64};

use words::Words;

/// One simulated engine, shared by all its requests.
#[derive(Debug)]
pub struct Engine {
    pace: Pace,
    seed: u64,
    max_model_len: u32,
    running: AtomicU64,
    served: AtomicU64,
    stopping: watch::Sender<bool>,
}

/// What is to be generated.
#[derive(Debug)]
pub struct Work<'a> {
    /// The name under which the model answers: a LoRA adapter says other words than its base.
    pub model: &'a str,
    /// At least one.
    pub prompts: &'a [Prompt],
    /// Choices of each prompt (`n`), at least one.
    pub copies: usize,
    /// Tokens of each choice, at least one; cut at the engine's context length.
    pub tokens: u32,
}

// === impl Engine ===

impl Engine {
    pub fn new(pace: Pace, seed: u64, max_model_len: u32) -> Self {
        Self {
            pace,
            seed,
            max_model_len,
            running: AtomicU64::new(0),
            served: AtomicU64::new(0),
            stopping: watch::Sender::new(false),
        }
    }

    /// Context length in tokens.
    pub fn max_model_len(&self) -> u32 {
        self.max_model_len
    }

    /// Requests that are generating now.
    pub fn running(&self) -> u64 {
        self.running.load(Ordering::Acquire)
    }

    /// Requests that got all their tokens since the start.
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::Acquire)
    }

    /// Starts generating; the clock to the first token runs from here.
    pub fn start(self: &Arc<Self>, work: &Work<'_>) -> Generation {
        let choices = work
            .prompts
            .iter()
            .flat_map(|prompt| (0..work.copies).map(|copy| Words::new(self.seed, work.model, prompt, copy)))
            .collect();
        let length = work.tokens.clamp(1, self.max_model_len);
        Generation::new(choices, length, self.pace, self.stopping.subscribe(), Slot::take(self))
    }

    /// Ends every generation with [`Stopped`], now and from now on.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Completes once [`Engine::stop`] was called.
    pub fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut stopping = self.stopping.subscribe();
        async move {
            // An error says that the engine itself is gone, which is as stopped as can be.
            let _ = stopping.wait_for(|stopping| *stopping).await;
        }
    }
}

/// A place among the running requests; given back when dropped, however the request ended.
#[derive(Debug)]
struct Slot(Arc<Engine>);

// === impl Slot ===

impl Slot {
    fn take(engine: &Arc<Engine>) -> Self {
        engine.running.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(engine))
    }

    /// Gives the place back and counts the request as served.
    fn finish(self) {
        self.0.served.fetch_add(1, Ordering::AcqRel);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
    }
}
