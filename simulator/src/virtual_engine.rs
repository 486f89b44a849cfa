//! An engine whose clock is the caller's: for simulations in virtual time, where hours of a fleet pass in seconds.
//!
//! It is the engine that the server drives, without the server: batching, KV cache, prefill, LoRA slots and
//! preemption are the same code. It is set up by the same [`Options`] (those of the wire mean nothing here), so a
//! simulation's engine can be started on a port by the flags that describe it.

use std::time::Duration;

use crate::Options;
use crate::engine::{Moved, Prompt, Scheduler, Words, Work};

/// One engine in virtual time. Times are its own clock's, from zero, and never go back.
#[derive(Debug)]
pub struct VirtualEngine {
    scheduler: Scheduler,
    seed: u64,
    max_model_len: u32,
    kv_cache_tokens: u64,
    moved: Vec<Moved>,
}

/// What is to be generated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Token ids; equal beginnings share cached blocks.
    pub prompt: Vec<u32>,
    /// What the answer is drawn from.
    pub seed: u64,
    /// Length of the answer in tokens, at least one.
    pub tokens: u32,
    /// The LoRA adapter to run with, which needs a slot.
    pub adapter: Option<String>,
}

/// A request got a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// As [`VirtualEngine::add`] named it.
    pub request: u64,
    /// Tokens that it has now.
    pub done: u32,
    /// Prompt tokens that were found in the cache.
    pub cached: u32,
}

/// What an engine's metrics page says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// Requests that hold a seat.
    pub running: u64,
    /// Requests that wait for a seat, for cache blocks or for an adapter's slot.
    pub waiting: u64,
    /// Share of the cache blocks that running requests hold, in [0, 1].
    pub kv_cache_usage: f64,
    /// Tokens that the cache holds.
    pub kv_cache_tokens: u64,
    /// Seconds to the first token since the start: sum and count.
    pub ttft: (f64, u64),
    /// Seconds between two tokens since the start: sum and count.
    pub tpot: (f64, u64),
    /// LoRA slots.
    pub max_loras: u32,
    /// Adapters that requests run with, sorted.
    pub running_adapters: Vec<String>,
    /// Adapters that requests wait for, sorted.
    pub waiting_adapters: Vec<String>,
    /// Times that an adapter was loaded into a slot since the start.
    pub adapter_loads: u64,
    /// Requests that lost their seat to an older one since the start, and computed everything again.
    pub preemptions: u64,
}

// === impl VirtualEngine ===

impl VirtualEngine {
    /// # Errors
    ///
    /// As the server's start: a number out of its range, or a cache too small for the context.
    pub fn new(options: &Options) -> anyhow::Result<Self> {
        let config = options.engine()?;
        let (seed, max_model_len) = (config.seed, config.max_model_len);
        let kv_cache_tokens = u64::from(config.cache.block_size) * u64::from(config.cache.blocks);
        Ok(Self { scheduler: Scheduler::new(config), seed, max_model_len, kv_cache_tokens, moved: Vec::new() })
    }

    /// Takes a request; its id, or `None` if there are more here than may be.
    pub fn add(&mut self, ask: Ask, now: Duration) -> Option<u64> {
        let (words, length) = (self.words(ask.seed), ask.tokens.clamp(1, self.max_model_len));
        let prompts = [prompt(ask.seed, ask.prompt)];
        let work = Work {
            model: MODEL,
            adapter: ask.adapter.as_deref(),
            salt: None,
            prompts: &prompts,
            copies: 1,
            tokens: length,
        };
        self.scheduler.add(&work, &[words], length, now)
    }

    /// Token ids of the answer to an [`Ask`] of this seed: what the next turn's prompt repeats.
    pub fn answer(&self, seed: u64, tokens: u32) -> Vec<u32> {
        let mut words = self.words(seed);
        (0..tokens).map(|position| words.next(position).id).collect()
    }

    /// When something is due next; in the past if it is overdue, `None` if nothing is.
    pub fn next(&self) -> Option<Duration> {
        self.scheduler.next()
    }

    /// Does what is due until `now`; the tokens that came.
    pub fn advance(&mut self, now: Duration) -> impl Iterator<Item = Step> + '_ {
        self.scheduler.advance(now);
        self.scheduler.take_moved(&mut self.moved);
        self.moved.iter().map(|moved| Step { request: moved.request, done: moved.done, cached: moved.cached })
    }

    /// What there is to tell of this moment.
    pub fn snapshot(&self, now: Duration) -> Snapshot {
        let Scheduler { slots, recorder, pool, .. } = &self.scheduler;
        let (ttft, tpot) = (&recorder.latencies.time_to_first_token, &recorder.latencies.inter_token);
        Snapshot {
            running: self.scheduler.running(),
            waiting: self.scheduler.waiting(now).total(),
            kv_cache_usage: pool.usage(),
            kv_cache_tokens: self.kv_cache_tokens,
            ttft: (ttft.sum(), ttft.count()),
            tpot: (tpot.sum(), tpot.count()),
            max_loras: slots.max(),
            running_adapters: slots.running(),
            waiting_adapters: slots.waiting(),
            adapter_loads: slots.loads(),
            preemptions: recorder.totals.preemptions,
        }
    }

    fn words(&self, seed: u64) -> Words {
        Words::new(self.seed, MODEL, &prompt(seed, Vec::new()), 0)
    }
}

const MODEL: &str = "simulated";

fn prompt(seed: u64, ids: Vec<u32>) -> Prompt {
    Prompt { tokens: ids.len() as u64, fingerprint: seed, ids, characters: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(prompt: Vec<u32>) -> Ask {
        Ask { prompt, seed: 7, tokens: 3, adapter: None }
    }

    /// Runs until nothing is due; the last step.
    fn finish(engine: &mut VirtualEngine) -> Option<Step> {
        let mut last = None;
        while let Some(next) = engine.next() {
            last = engine.advance(next).last().or(last);
        }
        last
    }

    #[test]
    fn a_request_gets_its_tokens_at_the_pace_of_the_options() {
        let mut engine = VirtualEngine::new(&Options::default()).expect("the defaults");
        engine.add(ask(vec![1; 20]), Duration::ZERO).expect("room");
        let mut times = Vec::new();
        while let Some(next) = engine.next() {
            times.extend(engine.advance(next).map(|step| (next.as_millis(), step.done)));
        }
        assert_eq!(times, [(20, 1), (25, 2), (30, 3)]);
        assert_eq!(engine.snapshot(Duration::from_secs(1)).ttft, (0.02, 1));
    }

    #[test]
    fn the_next_turn_finds_prompt_and_answer_in_the_cache() {
        let mut engine = VirtualEngine::new(&Options::default()).expect("the defaults");
        let first = ask((0..30).collect());
        engine.add(first.clone(), Duration::ZERO).expect("room");
        finish(&mut engine);
        let second = [first.prompt, engine.answer(first.seed, first.tokens), vec![9; 16]].concat();
        engine.add(ask(second), Duration::from_secs(1)).expect("room");
        // 33 tokens of prompt and answer are two full blocks of 16.
        assert_eq!(finish(&mut engine).map(|step| step.cached), Some(32));
    }
}
