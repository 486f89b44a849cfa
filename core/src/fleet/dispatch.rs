//! Requests on their way, and how they ended.

use super::Slot;
use crate::prefix::Stamp;
use crate::scheduling::MAX_PICKS;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// So many hashes of prompts are kept for requests whose end is not told yet: 16 MB.
const MOST_HASHES: usize = 1 << 21;

/// So many requests whose end is not told yet are remembered.
const MOST_REQUESTS: usize = 1 << 16;

/// A request in flight; [`super::Fleet::end`] takes it back.
#[derive(Debug)]
#[must_use = "it is in flight until it is handed back"]
pub struct Dispatch {
    pub(super) slot: Slot,
    pub(super) tokens: u32,
}

/// How a request ended, as the access log tells it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ended<'a> {
    /// The one that [`super::Fleet::pick`] was given.
    pub key: Option<u64>,
    /// `namespace/name` of the ModelServer that it was sent to.
    pub target: Option<&'a str>,
    /// Tries that were made.
    pub attempts: u32,
    /// `ip:port` of who served it last; `None` when nobody was reached.
    pub address: Option<&'a str>,
    /// What the client got; 0 when it went away before it got any.
    pub status: u16,
    /// From when the engine was asked to the first token.
    pub ttft: Option<Duration>,
    /// Mean time between tokens.
    pub tpot: Option<Duration>,
    /// From when the engine was asked to the end.
    pub duration: Option<Duration>,
    /// An answer that began did not end as it should: it was cut, told an error, or fell silent.
    pub broken: bool,
    /// It is `broken` as nothing moved any more: who answers may be silent, or who reads.
    pub silent: bool,
}

/// What was dispatched and is not told of yet, oldest first; when it is too much the oldest is forgotten, which
/// costs accuracy and nothing else.
#[derive(Debug, Default)]
pub(super) struct Pending {
    by_key: HashMap<u64, Sent>,
    order: VecDeque<u64>,
    hashes: usize,
}

/// A request that was dispatched.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) slot: Slot,
    pub(super) address: Arc<str>,
    /// Of what was learnt of its prompt.
    pub(super) stamp: Option<Stamp>,
    pub(super) prefix: Box<[u64]>,
    /// Tokens of its prompt that were to be computed.
    pub(super) tokens: f64,
    /// When.
    pub(super) at: Duration,
    /// Whom it may be tried on, in order; the first is `slot`. One may be another's by the time that it ends, who is then
    /// blamed for a failure.
    pub(super) picks: [Option<Slot>; MAX_PICKS],
}

// === impl Ended ===

impl Ended<'_> {
    /// Whether whoever was asked last failed it. A client that went away says nothing, nor does one that may not have
    /// read; and 501 is an answer to what was asked.
    pub(super) fn failed(&self) -> bool {
        self.status >= 500 && self.status != 501 || self.broken && !self.silent
    }

    /// Whether whoever was asked last would not serve this, as it might refuse anything.
    pub(super) fn refused(&self) -> bool {
        matches!(self.status, 401 | 403 | 404 | 429)
    }

    /// Whether an engine answered it as it was asked to.
    pub(super) fn served(&self) -> bool {
        (200..300).contains(&self.status) && !self.broken
    }
}

// === impl Pending ===

impl Pending {
    pub(super) fn put(&mut self, key: u64, sent: Sent) {
        self.hashes += sent.prefix.len();
        self.order.push_back(key);
        if let Some(same) = self.by_key.insert(key, sent) {
            self.hashes -= same.prefix.len();
        }
        while self.hashes > MOST_HASHES || self.order.len() > MOST_REQUESTS {
            let Some(oldest) = self.order.pop_front() else { return };
            self.take(oldest);
        }
    }

    pub(super) fn take(&mut self, key: u64) -> Option<Sent> {
        let sent = self.by_key.remove(&key)?;
        self.hashes -= sent.prefix.len();
        // Most of what is told was dispatched lately: those told before it are found at the front and dropped.
        while self.order.front().is_some_and(|oldest| !self.by_key.contains_key(oldest)) {
            self.order.pop_front();
        }
        Some(sent)
    }
}
