//! The latest decisions, kept for people who ask why.
//!
//! Every request passes here, so remembering one is a push under a short lock; words and JSON are made when
//! somebody asks. What clients chose (the model, the request id) is cut to a bounded length.

use kthena_core::scheduling::Decision;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use tokio::sync::broadcast;

/// The longest model, target or request id that is kept, in bytes.
const LONGEST: usize = 256;

/// How many decisions a slow reader of the live feed may be behind before it misses some.
const BEHIND: usize = 256;

/// A decision and the request that it was made for.
#[derive(Debug)]
pub struct Record {
    /// Counts from 1; given when it is remembered.
    pub number: u64,
    /// When it was made.
    pub time: SystemTime,
    /// The client's `x-request-id`, or Envoy's; empty where neither is.
    pub request_id: String,
    /// `namespace/name` of the ModelServer.
    pub target: String,
    /// The name that the engine is asked for.
    pub model: String,
    /// Tokens of its prompt, estimated.
    pub tokens: u32,
    /// Whether its retries were withheld: the ModelServer's budget was spent.
    pub rationed: bool,
    /// `None` when nobody published the target.
    pub decision: Option<Decision>,
}

/// The latest decisions, and a feed of those to come.
#[derive(Debug)]
pub struct Decisions {
    limit: usize,
    recent: Mutex<Recent>,
    live: broadcast::Sender<Arc<Record>>,
}

#[derive(Debug, Default)]
struct Recent {
    made: u64,
    records: VecDeque<Arc<Record>>,
}

// === impl Decisions ===

impl Decisions {
    /// How many are kept unless the options say otherwise.
    pub const DEFAULT_LIMIT: usize = 256;

    /// A memory of that many decisions; with 0 it keeps and feeds none.
    pub fn new(limit: usize) -> Self {
        Self { limit, recent: Mutex::default(), live: broadcast::Sender::new(BEHIND) }
    }

    /// Keeps a decision, and forgets the oldest one where there is no room.
    pub fn remember(&self, mut record: Record) {
        if self.limit == 0 {
            return;
        }
        for text in [&mut record.request_id, &mut record.target, &mut record.model] {
            cut(text);
        }
        let mut recent = self.lock();
        recent.made += 1;
        record.number = recent.made;
        let record = Arc::new(record);
        let forgotten = (recent.records.len() >= self.limit).then(|| recent.records.pop_front());
        recent.records.push_back(Arc::clone(&record));
        // Sent under the lock, so that the feed is in the order of the numbers; it never waits.
        if self.live.receiver_count() > 0 {
            let _ = self.live.send(record);
        }
        drop(recent);
        // Freeing one takes longer than forgetting it.
        drop(forgotten);
    }

    /// The latest first.
    pub fn latest(&self) -> Vec<Arc<Record>> {
        self.lock().records.iter().rev().cloned().collect()
    }

    /// How many it keeps.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Decisions from now on.
    pub fn feed(&self) -> broadcast::Receiver<Arc<Record>> {
        self.live.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cut(text: &mut String) {
    if text.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        text.truncate(end);
        text.push('…');
        text.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(model: &str) -> Record {
        Record {
            number: 0,
            time: SystemTime::UNIX_EPOCH,
            request_id: String::new(),
            target: "default/a".to_owned(),
            model: model.to_owned(),
            tokens: 0,
            rationed: false,
            decision: None,
        }
    }

    #[test]
    fn the_oldest_is_forgotten_first() {
        let decisions = Decisions::new(2);
        for model in ["a", "b", "c"] {
            decisions.remember(record(model));
        }
        let latest: Vec<_> = decisions.latest().iter().map(|record| (record.number, record.model.clone())).collect();
        assert_eq!(latest, [(3, "c".to_owned()), (2, "b".to_owned())]);
    }

    #[test]
    fn a_memory_of_none_keeps_and_feeds_none() {
        let decisions = Decisions::new(0);
        let mut feed = decisions.feed();
        decisions.remember(record("a"));
        assert!(decisions.latest().is_empty() && feed.try_recv().is_err());
    }

    #[test]
    fn the_feed_tells_a_slow_reader_how_many_it_missed() {
        let decisions = Decisions::new(1);
        let mut feed = decisions.feed();
        for _ in 0..BEHIND + 3 {
            decisions.remember(record("a"));
        }
        assert_eq!(feed.try_recv().unwrap_err(), broadcast::error::TryRecvError::Lagged(3));
        assert_eq!(feed.try_recv().unwrap().number, 4);
    }

    #[test]
    fn what_a_client_chose_is_cut() {
        let decisions = Decisions::new(1);
        decisions.remember(record(&"é".repeat(10_000)));
        let model = &decisions.latest()[0].model;
        assert!(model.len() <= LONGEST + '…'.len_utf8() && model.ends_with("é…"), "{}", model.len());
    }
}
