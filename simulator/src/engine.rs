//! The engine: which tokens come, and when.
//!
//! It knows nothing of HTTP or JSON. A face gives it [`Work`] and takes tokens from the
//! [`Generation`]; dropping the generation is how a client that went away is noticed, so no work is
//! ever done for a closed stream. What decides is `scheduler`, which has no clock; `driver` is its clock.

mod blocks;
mod chain;
mod config;
mod driver;
mod generation;
mod histogram;
mod lane;
mod pace;
mod progress;
mod prompt;
mod random;
mod recorder;
mod scheduler;
mod sequence;
mod slots;
mod stats;
mod tokenizer;
mod words;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::SystemTime;

use tokio::sync::watch;

pub use config::Config;
pub use generation::{Generation, Stopped, Token};
pub use histogram::Histogram;
pub use pace::{Pace, faster, parse_rate, parse_slowdown, parse_speed};
pub use prompt::{Prompt, PromptReader};
pub use random::{SplitMix64, digest64};
pub use scheduler::{Moved, Scheduler};
pub use stats::{Adapters, Bounds, Cache, Sleep, Stats};
pub use tokenizer::{longest, text_of, tokenize};
pub use words::Words;

use driver::Driver;
use progress::Progress;

/// One simulated engine, shared by all its requests.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    driver: Arc<Driver>,
    started: SystemTime,
    running: AtomicU64,
    served: AtomicU64,
    stopping: watch::Sender<bool>,
    refusing: AtomicBool,
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
    /// With its choices there would be more here than may be (`--max-num-queued-reqs`), or so many that
    /// they would take too much memory.
    QueueFull,
    /// It was told to end, and takes nothing new.
    ShuttingDown,
}

// === impl Engine ===

impl Engine {
    pub fn new(config: Config) -> Self {
        Self {
            driver: Arc::new(Driver::new(Scheduler::new(config.clone()))),
            config,
            started: SystemTime::now(),
            running: AtomicU64::new(0),
            served: AtomicU64::new(0),
            stopping: watch::Sender::new(false),
            refusing: AtomicBool::new(false),
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
        self.driver.with(|scheduler, now| Stats {
            started: self.started,
            running: scheduler.running(),
            waiting: scheduler.waiting(now),
            kv_cache_usage: scheduler.pool.usage(),
            sleep: scheduler.sleep(),
            cache: self.config.cache,
            adapters: Adapters {
                max: scheduler.slots.max(),
                running: scheduler.slots.running(),
                waiting: scheduler.slots.waiting(),
                changed: stats::wall(self.started, scheduler.slots.changed()),
            },
            totals: scheduler.recorder.totals,
            latencies: scheduler.recorder.latencies.clone(),
            sizes: scheduler.recorder.sizes.clone(),
        })
    }

    /// Starts generating; the clock to the first token runs from here.
    ///
    /// # Errors
    ///
    /// The engine takes no more for now.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn start(self: &Arc<Self>, work: &Work<'_>) -> Result<Generation, Rejected> {
        if self.refusing.load(Ordering::Acquire) {
            return Err(Rejected::ShuttingDown);
        }
        let length = work.tokens.clamp(1, self.config.max_model_len);
        let choices: Vec<Words> = work
            .prompts
            .iter()
            .flat_map(|prompt| (0..work.copies).map(|copy| Words::new(self.config.seed, work.model, prompt, copy)))
            .collect();
        let progress = Arc::new(Progress::new(choices.len(), work.copies, length));
        let id = self
            .driver
            .add(&progress, |scheduler, now| scheduler.add(work, &choices, length, now))
            .ok_or(Rejected::QueueFull)?;
        Ok(Generation::new(choices, length, progress, Place::take(self, id)))
    }

    /// Puts an adapter into a slot before the first request for it, if a slot is free or idle.
    pub fn load_adapter(&self, name: &str) {
        self.driver.with(|scheduler, now| scheduler.slots.load(name, now));
    }

    /// Takes an adapter out of its slot, as soon as nothing runs with it.
    pub fn unload_adapter(&self, name: &str) {
        self.driver.with(|scheduler, now| scheduler.unload(name, now));
    }

    /// Puts the engine to sleep, or wakes it ([`Sleep::Awake`]). Asleep it takes requests and gives no
    /// token; what ran starts over when it wakes, and the prefix cache is lost.
    pub fn set_sleep(&self, sleep: Sleep) {
        self.driver.with(|scheduler, now| scheduler.set_sleep(sleep, now));
    }

    pub fn sleep_state(&self) -> Sleep {
        self.driver.with(|scheduler, _| scheduler.sleep())
    }

    /// Forgets all cached prefixes. False, and nothing is forgotten, while sequences run.
    pub fn reset_prefix_cache(&self) -> bool {
        self.driver.with(|scheduler, _| {
            let idle = scheduler.running() == 0;
            if idle {
                scheduler.pool.forget();
            }
            idle
        })
    }

    /// Takes nothing new from now on ([`Rejected::ShuttingDown`]); what runs goes on.
    pub fn refuse(&self) {
        self.refusing.store(true, Ordering::Release);
    }

    /// Ends every generation with [`Stopped`], now and from now on.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
        self.driver.stop();
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

/// A place among the requests that are here; given back when dropped, however the request ended.
#[derive(Debug)]
struct Place {
    engine: Arc<Engine>,
    request: u64,
}

// === impl Place ===

impl Place {
    fn take(engine: &Arc<Engine>, request: u64) -> Self {
        engine.running.fetch_add(1, Ordering::AcqRel);
        Self { engine: Arc::clone(engine), request }
    }

    /// Gives the place back and counts the request as served.
    fn finish(self) {
        self.engine.served.fetch_add(1, Ordering::AcqRel);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.engine.running.fetch_sub(1, Ordering::AcqRel);
        self.engine.driver.cancel(self.request);
    }
}

#[cfg(test)]
mod tests;
