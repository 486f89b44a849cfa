//! The engine: which tokens come, and when.
//!
//! It knows nothing of HTTP or JSON. A face gives it [`Work`] and takes tokens from the
//! [`Generation`]; dropping the generation is how a client that went away is noticed, so no work is
//! ever done for a closed stream. Each generation is one timer, not one thread.

mod config;
mod generation;
mod histogram;
mod pace;
mod prompt;
mod random;
mod stats;
mod tokenizer;
mod words;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio::sync::watch;

pub use config::Config;
pub use generation::{Answer, Generation, Stopped, Token};
pub use histogram::Histogram;
pub use pace::{Pace, faster, parse_rate, parse_slowdown, parse_speed};
pub use prompt::{Prompt, PromptReader};
pub use random::{SplitMix64, digest64};
pub use stats::{Adapters, Bounds, Cache, Ended, Latencies, Sizes, Sleep, Stats, Totals, Waiting};
pub use tokenizer::{SPECIAL, text_of, tokenize};

use words::Words;

/// One simulated engine, shared by all its requests.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    started: SystemTime,
    sleep: Mutex<Sleep>,
    running: AtomicU64,
    served: AtomicU64,
    stopping: watch::Sender<bool>,
}

/// What is to be generated.
#[derive(Debug)]
pub struct Work<'a> {
    /// The name under which the model answers: a LoRA adapter says other words than its base.
    pub model: &'a str,
    /// The LoRA adapter to run with, which needs a slot.
    pub adapter: Option<&'a str>,
    /// Prompts of another salt share no cached blocks with this one (`cache_salt`).
    pub salt: Option<&'a str>,
    /// At least one.
    pub prompts: &'a [Prompt],
    /// Choices of each prompt (`n`), at least one.
    pub copies: usize,
    /// Tokens of each choice, at least one; cut at the engine's context length.
    pub tokens: u32,
}

/// Why a request was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejected {
    /// As many requests are here as may be (`--max-num-queued-reqs`).
    QueueFull,
}

// === impl Engine ===

impl Engine {
    pub fn new(config: Config) -> Self {
        Self {
            config,
            started: SystemTime::now(),
            sleep: Mutex::default(),
            running: AtomicU64::new(0),
            served: AtomicU64::new(0),
            stopping: watch::Sender::new(false),
        }
    }

    /// Context length in tokens.
    pub fn max_model_len(&self) -> u32 {
        self.config.max_model_len
    }

    /// Requests that are here, waiting or generating.
    pub fn running(&self) -> u64 {
        self.running.load(Ordering::Acquire)
    }

    /// Requests that got all their tokens since the start.
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::Acquire)
    }

    /// What there is to tell of this moment.
    pub fn stats(&self) -> Stats {
        Stats {
            started: self.started,
            running: self.running(),
            waiting: Waiting::default(),
            kv_cache_usage: 0.0,
            sleep: self.sleep_state(),
            cache: self.config.cache,
            adapters: Adapters {
                max: self.config.max_loras,
                running: Vec::new(),
                waiting: Vec::new(),
                changed: self.started,
            },
            totals: Totals::default(),
            latencies: Latencies::new(&self.config.bounds),
            sizes: Sizes::new(&self.config.bounds),
        }
    }

    /// Starts generating; the clock to the first token runs from here.
    ///
    /// # Errors
    ///
    /// The engine takes no more for now.
    pub fn start(self: &Arc<Self>, work: &Work<'_>) -> Result<Generation, Rejected> {
        if self.config.max_num_queued_reqs.is_some_and(|limit| self.running() >= u64::from(limit)) {
            return Err(Rejected::QueueFull);
        }
        let choices = work
            .prompts
            .iter()
            .flat_map(|prompt| (0..work.copies).map(|copy| Words::new(self.config.seed, work.model, prompt, copy)))
            .collect();
        let length = work.tokens.clamp(1, self.config.max_model_len);
        Ok(Generation::new(choices, length, self.config.pace, self.stopping.subscribe(), Slot::take(self)))
    }

    /// Puts an adapter into a slot before the first request for it, if a slot is free or idle.
    pub fn load_adapter(&self, _name: &str) {}

    /// Takes an adapter out of its slot, as soon as nothing runs with it.
    pub fn unload_adapter(&self, _name: &str) {}

    /// Puts the engine to sleep, or wakes it ([`Sleep::Awake`]). Asleep it takes requests and gives no
    /// token; what ran starts over when it wakes, and the prefix cache is lost.
    pub fn set_sleep(&self, sleep: Sleep) {
        *self.sleep.lock().unwrap_or_else(PoisonError::into_inner) = sleep;
    }

    pub fn sleep_state(&self) -> Sleep {
        *self.sleep.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets all cached prefixes. False, and nothing is forgotten, while sequences run.
    pub fn reset_prefix_cache(&self) -> bool {
        self.running() == 0
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
