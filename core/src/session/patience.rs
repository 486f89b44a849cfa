//! How many tries may time out: two, of all that a request has.
//!
//! A long prompt that one engine did not answer in time is worth one more, not four: each computes it anew. Envoy counts
//! a try that timed out like one that was refused, and its count cannot be told otherwise once a request is on its
//! way. So the filter looks from time to time how far a request is ([`Progress`]) and gives up on it when its second try
//! has waited as long as it may. A refused connection, a reset or a 5xx is no timeout and keeps its retries.
//!
//! What is seen is seen between two looks. A try is taken to have begun at the earliest that it may have, so that
//! the request ends before Envoy begins one try too many; the last try may lose an eighth of its time by that. The end
//! of a try is not seen, only the next one's begin: a try that failed late counts as one that timed out where the
//! pause behind it fills its time.

use std::time::Duration;

/// Looks in the time of one try while it cannot have timed out yet.
const LOOKS: u32 = 8;

/// Looks in the time of one try while it may time out at any moment, which is soon over.
const CLOSE_LOOKS: u32 = 64;

/// The least time between two looks.
const LEAST: Duration = Duration::from_millis(5);

/// The most time between two close looks.
const MOST: Duration = Duration::from_millis(250);

/// How far a request is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Tries that were begun; 0 while it waits for a pick.
    pub tries: u32,
    /// Whether the last try has a connection. Before, its time does not run.
    pub connected: bool,
}

/// What is to be done after a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patient {
    /// Look again at that time.
    Until(Duration),
    /// Two tries have had their time.
    Not,
}

/// What is known of one request's tries. Times count from any moment, always the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    timeout: Duration,
    /// The earliest time at which the try at hand may have been sent.
    began: Duration,
    tries: u32,
    /// Whether a try has timed out, as far as can be seen.
    timed_out: bool,
}

// === impl Patience ===

impl Patience {
    /// For a request that goes on its way now, to at most `tries` tries of `timeout` each; `None` where no more than two
    /// can time out anyway.
    pub fn new(timeout: Duration, tries: u32, now: Duration) -> Option<Self> {
        let bounded = timeout > Duration::ZERO && tries > 2;
        bounded.then_some(Self { timeout, began: now, tries: 0, timed_out: false })
    }

    /// When to look first.
    pub fn first_look(&self) -> Duration {
        self.began + self.timeout / LOOKS
    }

    /// Takes in what a look has seen.
    pub fn look(&mut self, seen: Progress, last: Duration, now: Duration) -> Patient {
        if seen.tries > self.tries {
            let ended = self.tries > 0 && self.spent(now);
            if ended && self.timed_out {
                return Patient::Not;
            }
            self.timed_out |= ended;
            self.tries = seen.tries;
            self.began = last;
        }
        if !seen.connected {
            self.began = now;
        }
        if self.timed_out && self.spent(now) {
            return Patient::Not;
        }
        let pause = if self.spent(now) { (self.timeout / CLOSE_LOOKS).min(MOST) } else { self.timeout / LOOKS };
        let next = now + pause.max(LEAST);
        let end = self.began + self.timeout;
        // Just before its time is over too, so that what has failed until then is told from what times out.
        let next =
            [end.saturating_sub(LEAST), end].into_iter().find(|time| *time > now).map_or(next, |time| next.min(time));
        Patient::Until(next)
    }

    /// Whether the try at hand may have had its time.
    fn spent(&self, now: Duration) -> bool {
        now >= self.began + self.timeout
    }
}

#[cfg(test)]
mod tests;
