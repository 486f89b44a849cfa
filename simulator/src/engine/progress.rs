//! How far a request is, told by the scheduler to whoever waits for its tokens.
//!
//! Only counts cross over: the reader draws the words itself. However slowly a client reads, nothing
//! piles up.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::Context;

use futures::task::AtomicWaker;

use super::scheduler::Moved;

/// The state that one generation and the engine share.
#[derive(Debug)]
pub struct Progress {
    /// Tokens that each choice has.
    done: Box<[AtomicU32]>,
    /// Tokens that it shall have.
    length: u32,
    /// Choices of each prompt: the first one's cached tokens are the prompt's.
    copies: u32,
    /// Choices that have all their tokens.
    complete: AtomicU64,
    cached: AtomicU64,
    stopped: AtomicBool,
    /// Whether only the end is of interest.
    whole: AtomicBool,
    waker: AtomicWaker,
}

// === impl Progress ===

impl Progress {
    pub fn new(choices: usize, copies: usize, length: u32) -> Self {
        Self {
            done: (0..choices).map(|_| AtomicU32::new(0)).collect(),
            length,
            copies: u32::try_from(copies).unwrap_or(u32::MAX).max(1),
            complete: AtomicU64::new(0),
            cached: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            whole: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        }
    }

    /// Takes a token into account. True if it was the request's last.
    pub fn tell(&self, moved: Moved) -> bool {
        // Before the token, which is what readers look at first.
        if moved.done == 1 && moved.choice.is_multiple_of(self.copies) {
            self.cached.fetch_add(moved.cached.into(), Ordering::AcqRel);
        }
        if let Some(done) = self.done.get(moved.choice as usize) {
            done.store(moved.done, Ordering::Release);
        }
        if moved.done == self.length {
            self.complete.fetch_add(1, Ordering::AcqRel);
        }
        let complete = self.is_complete();
        if complete || !self.whole.load(Ordering::Acquire) {
            self.waker.wake();
        }
        complete
    }

    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.waker.wake();
    }

    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// From now on only the end wakes the reader.
    pub fn wait_for_all(&self) {
        self.whole.store(true, Ordering::Release);
    }

    /// Whoever polls is woken when there is more to see.
    pub fn watch(&self, context: &Context<'_>) {
        self.waker.register(context.waker());
    }

    /// Tokens that a choice has.
    pub fn done(&self, choice: usize) -> u32 {
        self.done.get(choice).map_or(0, |done| done.load(Ordering::Acquire))
    }

    pub fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Acquire) >= self.done.len() as u64
    }

    pub fn cached(&self) -> u64 {
        self.cached.load(Ordering::Acquire)
    }
}
