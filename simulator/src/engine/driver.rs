//! The scheduler on the clock: one task with one timer for the whole engine, however many streams there
//! are. Whoever changes something brings the scheduler up to date first, so its state is never older
//! than the last look at it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::progress::Progress;
use super::scheduler::{Moved, Scheduler};

/// A scheduler, its clock, and those who wait for its tokens.
#[derive(Debug)]
pub struct Driver {
    zero: Instant,
    state: Mutex<State>,
    /// The next deadline came nearer, or the driver is gone.
    sooner: Arc<Notify>,
}

#[derive(Debug)]
struct State {
    scheduler: Scheduler,
    readers: HashMap<u64, Arc<Progress>>,
    moved: Vec<Moved>,
    /// What the task waits for; none: for nothing, or there is no task yet.
    armed: Option<Duration>,
    /// Whether the task was started.
    driven: bool,
    stopped: bool,
}

/// As good as never, and small enough to add to any clock.
const NEVER: Duration = Duration::from_secs(30 * 365 * 86_400);

// === impl Driver ===

impl Driver {
    pub fn new(scheduler: Scheduler) -> Self {
        let state =
            State { scheduler, readers: HashMap::new(), moved: Vec::new(), armed: None, driven: false, stopped: false };
        Self { zero: Instant::now(), state: Mutex::new(state), sooner: Arc::default() }
    }

    /// Does something with an up-to-date scheduler; gives it the present time.
    pub fn with<R>(&self, action: impl FnOnce(&mut Scheduler, Duration) -> R) -> R {
        self.locked(|state, now| action(&mut state.scheduler, now))
    }

    /// Adds a request by `add`, which gives its id, and tells `reader` of its tokens from now on.
    pub fn add(
        self: &Arc<Self>,
        reader: &Arc<Progress>,
        add: impl FnOnce(&mut Scheduler, Duration) -> Option<u64>,
    ) -> Option<u64> {
        self.locked(|state, now| {
            let id = add(&mut state.scheduler, now)?;
            if state.stopped {
                reader.stop();
            }
            state.readers.insert(id, Arc::clone(reader));
            if !state.driven {
                state.driven = true;
                tokio::spawn(drive(Arc::downgrade(self), Arc::clone(&self.sooner)));
            }
            Some(id)
        })
    }

    /// Nobody reads this request any longer.
    pub fn cancel(&self, request: u64) {
        self.locked(|state, now| {
            state.readers.remove(&request);
            state.scheduler.cancel(request, now);
        });
    }

    /// Tells all readers, also those to come, that there will be no more tokens.
    pub fn stop(&self) {
        self.locked(|state, _| {
            state.stopped = true;
            state.readers.values().for_each(|reader| reader.stop());
        });
    }

    fn locked<R>(&self, action: impl FnOnce(&mut State, Duration) -> R) -> R {
        // No step leaves the state half changed, so a poisoned lock is still good.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock: whoever waited for it would otherwise act in the past.
        let now = self.zero.elapsed();
        state.scheduler.advance(now);
        let outcome = action(&mut state, now);
        state.tell();
        let next = state.scheduler.next();
        let sooner = next.is_some_and(|next| state.armed.is_none_or(|armed| next < armed));
        if sooner {
            state.armed = next;
        }
        drop(state);
        if sooner {
            self.sooner.notify_one();
        }
        outcome
    }

    /// Does what is due; when the next thing is.
    fn turn(&self) -> Option<Instant> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.scheduler.advance(self.zero.elapsed());
        state.tell();
        state.armed = state.scheduler.next();
        state.armed.map(|next| self.zero.checked_add(next).unwrap_or_else(|| Instant::now() + NEVER))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.sooner.notify_one();
    }
}

// === impl State ===

impl State {
    /// Tells readers what came.
    fn tell(&mut self) {
        self.scheduler.take_moved(&mut self.moved);
        for moved in self.moved.drain(..) {
            if self.readers.get(&moved.request).is_some_and(|reader| reader.tell(moved)) {
                self.readers.remove(&moved.request);
            }
        }
    }
}

/// Wakes the scheduler whenever something is due, until the driver is dropped.
async fn drive(driver: Weak<Driver>, sooner: Arc<Notify>) {
    while let Some(next) = driver.upgrade().map(|driver| driver.turn()) {
        match next {
            None => sooner.notified().await,
            // Tokens that take no time come in slices, between which readers have their turn.
            Some(next) if next <= Instant::now() => tokio::task::yield_now().await,
            Some(next) => {
                tokio::select! {
                    () = sleep_until(next) => {}
                    () = sooner.notified() => {}
                }
            }
        }
    }
}
