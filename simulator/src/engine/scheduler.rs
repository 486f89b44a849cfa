//! Continuous batching as a state machine: what runs, what waits, and when the next token comes.
//!
//! Time is an argument: the engine's own clock, from zero. A caller tells what happens (a request, a
//! client that went away) and calls [`Scheduler::advance`], which does all that is due; the same calls
//! with the same times give the same answers.
//!
//! The rules are those of vLLM's scheduler: sequences are admitted first come, first served, into
//! `max_num_seqs` seats, when the cache has room for all their tokens so far; only one that waits for an
//! adapter's slot is overtaken. When a running one needs a block and there is none, the youngest running
//! one gives up its own, goes back to the front of the queue and computes everything again later.

mod admission;
mod decode;
mod prefill;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::Work;
use super::blocks::BlockPool;
use super::chain::Chain;
use super::config::Config;
use super::lane::Lane;
use super::recorder::Recorder;
use super::sequence::{Phase, PromptBlocks, Sequence};
use super::slots::Slots;
use super::stats::{Sleep, Waiting};
use super::words::Words;

/// The state of one engine.
#[derive(Debug)]
pub struct Scheduler {
    config: Config,
    pub pool: BlockPool,
    pub slots: Slots,
    pub recorder: Recorder,
    lane: Lane,
    sequences: HashMap<u64, Sequence>,
    /// By the id of their first sequence.
    requests: HashMap<u64, Request>,
    waiting: BTreeMap<i64, u64>,
    running: BTreeMap<u64, u64>,
    starting: BTreeSet<(Duration, u64)>,
    decoding: BTreeSet<(Duration, u64)>,
    /// The latest time that this was told, or did something at.
    clock: Duration,
    next_id: u64,
    next_seat: u64,
    sleep: Sleep,
    moved: Vec<Moved>,
}

#[derive(Debug)]
struct Request {
    /// Sequences that it began with: their ids follow one another.
    choices: u64,
    /// Sequences that have not ended.
    left: u64,
}

/// A sequence got a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    pub request: u64,
    pub choice: u32,
    /// Tokens that it has now.
    pub done: u32,
    /// Prompt tokens found in the cache.
    pub cached: u32,
}

/// Events of one call of [`Scheduler::advance`]: it runs under a lock, and an engine whose tokens take
/// no time would never let go of it.
const EVENTS_AT_ONCE: usize = 16_384;

/// Sequences that may be here, whatever the flags say: some 100 MB of them.
const SEQUENCES_AT_MOST: usize = 262_144;

/// What happens next.
#[derive(Debug, Clone, Copy)]
enum Event {
    Prefill,
    AdapterReady,
    FirstToken,
    Token,
}

// === impl Scheduler ===

impl Scheduler {
    pub fn new(config: Config) -> Self {
        Self {
            pool: BlockPool::new(config.cache.blocks, config.cache.prefix_caching),
            slots: Slots::new(config.max_loras, config.lora_load_time),
            recorder: Recorder::new(&config.bounds),
            config,
            lane: Lane::default(),
            sequences: HashMap::new(),
            requests: HashMap::new(),
            waiting: BTreeMap::new(),
            running: BTreeMap::new(),
            starting: BTreeSet::new(),
            decoding: BTreeSet::new(),
            clock: Duration::ZERO,
            next_id: 0,
            next_seat: 0,
            sleep: Sleep::Awake,
            moved: Vec::new(),
        }
    }

    /// Takes a request, one sequence for each copy of each prompt, `length` tokens each, which say what
    /// `words` say. Its id; `None` if there is more here than may be.
    pub fn add(&mut self, work: &Work<'_>, words: &[Words], length: u32, now: Duration) -> Option<u64> {
        let limit = self.config.max_num_queued_reqs.map_or(SEQUENCES_AT_MOST, |limit| limit as usize);
        let choices = work.prompts.len().saturating_mul(work.copies);
        if self.sequences.len().saturating_add(choices) > limit.min(SEQUENCES_AT_MOST) {
            self.recorder.totals.rejected_queued_requests += 1;
            return None;
        }
        let request = self.next_id;
        let adapter: Option<Arc<str>> = work.adapter.map(Arc::from);
        let mut place = self.waiting.last_key_value().map_or(0, |(place, _)| place + 1);
        let (mut choice, mut words) = (0, words.iter());
        for prompt in work.prompts {
            let chain = Chain::new(self.config.cache.block_size, work.adapter, work.salt);
            let blocks = Arc::new(PromptBlocks::new(chain, &prompt.ids, self.config.max_model_len));
            self.recorder.sizes.copies.observe(work.copies as f64);
            for words in words.by_ref().take(work.copies) {
                let sequence = Sequence {
                    request,
                    choice,
                    adapter: adapter.clone(),
                    chain: blocks.chain,
                    prompt: Arc::clone(&blocks),
                    length: length.max(1),
                    done: 0,
                    words: words.clone(),
                    answered: Vec::new(),
                    blocks: Vec::new(),
                    phase: Phase::Waiting(place),
                    seat: 0,
                    preemptions: 0,
                    cached: 0,
                    arrived: now,
                    admitted: None,
                    first_token: None,
                    last_token: now,
                };
                self.sequences.insert(self.next_id, sequence);
                self.waiting.insert(place, self.next_id);
                if let Some(adapter) = &adapter {
                    self.slots.wait(adapter, true, now);
                }
                (self.next_id, place, choice) = (self.next_id + 1, place + 1, choice + 1);
            }
        }
        self.requests.insert(request, Request { choices: choice.into(), left: choice.into() });
        self.admit(now);
        Some(request)
    }

    /// The client went away: everything that the request held is free. Nothing happens if it has ended.
    pub fn cancel(&mut self, request: u64, now: Duration) {
        let Some(Request { choices, .. }) = self.requests.remove(&request) else {
            return;
        };
        for id in request..request + choices {
            self.leave(id, now);
            if self.sequences.remove(&id).is_some() {
                self.recorder.totals.ended.abort += 1;
            }
        }
        self.admit(now);
    }

    /// Does what is due until `now`, or a good part of it: [`Scheduler::next`] tells whether more is.
    pub fn advance(&mut self, now: Duration) {
        for _ in 0..EVENTS_AT_ONCE {
            let Some((at, event)) = self.upcoming().filter(|(at, _)| *at <= now) else {
                self.clock = self.clock.max(now);
                return;
            };
            self.clock = self.clock.max(at);
            match event {
                Event::Prefill => self.prefill(at),
                Event::AdapterReady => self.admit(at),
                Event::FirstToken => self.first_token(at),
                Event::Token => self.token(at),
            }
        }
    }

    /// When something is due next; in the past if it is overdue.
    pub fn next(&self) -> Option<Duration> {
        self.upcoming().map(|(at, _)| at)
    }

    /// The tokens that came since this was asked last.
    pub fn take_moved(&mut self, into: &mut Vec<Moved>) {
        into.clear();
        std::mem::swap(into, &mut self.moved);
    }

    /// Takes an adapter out of its slot, now or with its last user; who waits for a slot may have this one.
    pub fn unload(&mut self, adapter: &str, now: Duration) {
        self.slots.unload(adapter);
        self.admit(now);
    }

    /// Puts the engine to sleep or wakes it. Asleep nothing is due; what ran starts over afterwards, and
    /// the cache is empty.
    pub fn set_sleep(&mut self, sleep: Sleep, now: Duration) {
        if sleep != Sleep::Awake {
            while let Some((_, id)) = self.running.last_key_value() {
                self.back_to_queue(*id, now);
            }
            self.lane.clear(now);
            self.pool.forget();
        }
        self.sleep = sleep;
        self.admit(now);
    }

    pub fn sleep(&self) -> Sleep {
        self.sleep
    }

    /// Sequences that hold a seat.
    pub fn running(&self) -> u64 {
        self.running.len() as u64
    }

    pub fn waiting(&self, now: Duration) -> Waiting {
        let mut counts = Waiting::default();
        for sequence in self.waiting.values().filter_map(|id| self.sequences.get(id)) {
            match &sequence.adapter {
                Some(adapter) if self.slots.defers(adapter, now) => counts.deferred += 1,
                _ => counts.capacity += 1,
            }
        }
        counts
    }

    fn awake(&self) -> bool {
        self.sleep == Sleep::Awake
    }

    fn upcoming(&self) -> Option<(Duration, Event)> {
        if !self.awake() {
            return None;
        }
        let prefill = self.lane.next(self.clock).map(|at| (at, Event::Prefill));
        let adapter = self.next_adapter().map(|at| (at, Event::AdapterReady));
        let first = self.starting.first().map(|(at, _)| (*at, Event::FirstToken));
        let token = self.decoding.first().map(|(at, _)| (self.lane.real_time(*at), Event::Token));
        // Of equally early ones the first wins.
        [prefill, adapter, first, token].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// Takes a sequence out of wherever it is, and gives back what it holds.
    fn leave(&mut self, id: u64, now: Duration) {
        let Some(sequence) = self.sequences.get_mut(&id) else {
            return;
        };
        match sequence.phase {
            Phase::Waiting(place) => {
                self.waiting.remove(&place);
                if let Some(adapter) = &sequence.adapter {
                    self.slots.wait(adapter, false, now);
                }
                return;
            }
            Phase::Prefilling(_) => self.lane.remove(id),
            Phase::Starting(at) => {
                self.starting.remove(&(at, id));
            }
            Phase::Decoding(at) => {
                self.decoding.remove(&(at, id));
            }
        }
        self.running.remove(&sequence.seat);
        self.pool.release(std::mem::take(&mut sequence.blocks));
        if let Some(adapter) = &sequence.adapter {
            self.slots.end(adapter, now);
        }
    }

    /// Takes a running sequence's seat and blocks away; it is the next to be admitted.
    fn back_to_queue(&mut self, id: u64, now: Duration) {
        self.leave(id, now);
        let place = self.waiting.first_key_value().map_or(0, |(place, _)| place - 1);
        if let Some(sequence) = self.sequences.get_mut(&id) {
            sequence.phase = Phase::Waiting(place);
            self.waiting.insert(place, id);
            if let Some(adapter) = &sequence.adapter {
                self.slots.wait(adapter, true, now);
            }
        }
    }
}

#[cfg(test)]
mod tests;
