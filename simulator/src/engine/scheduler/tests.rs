//! The state machine, told the time.

mod adapters;
mod batching;
mod cache;
mod properties;

use std::time::Duration;

use crate::engine::scheduler::{Moved, Scheduler};
use crate::engine::stats::{Bounds, Cache};
use crate::engine::words::Words;
use crate::engine::{Config, Pace, Prompt, Work};

const TTFT: u64 = 100;
const TPOT: u64 = 10;

/// One engine and its clock, in milliseconds.
struct Bench {
    scheduler: Scheduler,
    now: u64,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy)]
struct Asked<'a> {
    prompt: &'a [u32],
    copies: usize,
    tokens: u32,
    adapter: Option<&'a str>,
    salt: Option<&'a str>,
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn config() -> Config {
    Config {
        pace: Pace::new(ms(TTFT), ms(TPOT), 1.0, None, 0.0).expect("a plain pace"),
        seed: 0,
        max_model_len: 64,
        max_num_seqs: 4,
        max_num_batched_tokens: 64,
        max_num_queued_reqs: None,
        cache: Cache { block_size: 4, blocks: 64, prefix_caching: true },
        max_loras: 2,
        lora_load_time: Duration::ZERO,
        bounds: Bounds::vllm(64),
    }
}

/// A second for each thousand prompt tokens.
fn prefilling() -> Config {
    Config { pace: Pace::new(ms(TTFT), ms(TPOT), 1.0, Some(1000.0), 0.0).expect("a plain pace"), ..config() }
}

fn asked(prompt: &[u32], tokens: u32) -> Asked<'_> {
    Asked { prompt, copies: 1, tokens, adapter: None, salt: None }
}

/// A prompt of so many tokens that shares no block with those of another family.
fn tokens(family: u32, count: u32) -> Vec<u32> {
    (0..count).map(|place| family * 1000 + place).collect()
}

// === impl Bench ===

impl Bench {
    fn new(config: Config) -> Self {
        Self { scheduler: Scheduler::new(config), now: 0 }
    }

    /// The request's id, or None if it was refused.
    fn ask(&mut self, asked: Asked<'_>) -> Option<u64> {
        let prompts = [Prompt {
            tokens: asked.prompt.len() as u64,
            fingerprint: 0,
            ids: asked.prompt.to_vec(),
            characters: None,
        }];
        let Asked { copies, tokens, adapter, salt, .. } = asked;
        let work = Work { model: "m", adapter, salt, prompts: &prompts, copies, tokens };
        let words: Vec<_> = (0..copies).map(|copy| Words::new(0, "m", &prompts[0], copy)).collect();
        self.scheduler.add(&work, &words, tokens, ms(self.now))
    }

    fn taken(&mut self, asked: Asked<'_>) -> u64 {
        self.ask(asked).expect("room")
    }

    fn cancel(&mut self, request: u64) {
        self.scheduler.cancel(request, ms(self.now));
    }

    /// Lets the time come; what moved meanwhile.
    fn until(&mut self, now: u64) -> Vec<Moved> {
        self.now = now;
        let (mut all, mut some) = (Vec::new(), Vec::new());
        while self.scheduler.next().is_some_and(|next| next <= ms(now)) {
            self.scheduler.advance(ms(now));
            self.scheduler.take_moved(&mut some);
            all.extend_from_slice(&some);
        }
        self.scheduler.advance(ms(now));
        all
    }

    /// When each token came until nothing more is due: request, tokens that it has, milliseconds.
    fn run(&mut self) -> Vec<(u64, u32, u64)> {
        let (mut times, mut moved) = (Vec::new(), Vec::new());
        while let Some(next) = self.scheduler.next() {
            self.scheduler.advance(next);
            self.scheduler.take_moved(&mut moved);
            let at = next.as_millis() as u64;
            times.extend(moved.iter().map(|moved| (moved.request, moved.done, at)));
            self.now = self.now.max(at);
        }
        times
    }

    /// When each request got its first token.
    fn first_tokens(&mut self) -> Vec<(u64, u64)> {
        self.run().into_iter().filter(|(_, done, _)| *done == 1).map(|(request, _, at)| (request, at)).collect()
    }

    fn running(&self) -> u64 {
        self.scheduler.running()
    }

    /// Waiting for capacity, and deferred.
    fn waiting(&self) -> (u64, u64) {
        let waiting = self.scheduler.waiting(ms(self.now));
        (waiting.capacity, waiting.deferred)
    }

    fn hits(&self) -> u64 {
        self.scheduler.recorder.totals.prefix_hits
    }
}
