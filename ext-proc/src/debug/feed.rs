//! The decisions to come, for one reader: as many a second as somebody can look at, and the number of the others.

use super::decisions::Wanted;
use crate::decisions::Record;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// How many decisions a second one reader is told, and at once after a pause.
pub(super) const RATE: u32 = 20;

/// How often a reader is told what it missed.
const TELL: Duration = Duration::from_secs(1);

/// What a reader is told.
#[derive(Debug)]
pub(super) enum News {
    Decision(Arc<Record>),
    /// So many more there were.
    Skipped(u64),
}

/// One reader's way.
#[derive(Debug)]
pub(super) struct Feed {
    records: Receiver<Arc<Record>>,
    wanted: Wanted,
    pace: Pace,
    skipped: u64,
    tell: Interval,
}

/// A bucket of [`RATE`] that is filled at that rate; `full_at` is when it will be full.
#[derive(Debug)]
struct Pace {
    full_at: Instant,
}

// === impl Feed ===

impl Feed {
    pub(super) fn new(records: Receiver<Arc<Record>>, wanted: Wanted) -> Self {
        let mut tell = interval_at(Instant::now() + TELL, TELL);
        tell.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { records, wanted, pace: Pace { full_at: Instant::now() }, skipped: 0, tell }
    }

    /// The next thing to tell; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<News> {
        loop {
            tokio::select! {
                biased;
                _ = self.tell.tick(), if self.skipped > 0 => return Some(News::Skipped(std::mem::take(&mut self.skipped))),
                next = self.records.recv() => match next {
                    Ok(record) if !self.wanted.has(&record) => {}
                    Ok(record) if self.pace.admits(Instant::now()) => return Some(News::Decision(record)),
                    Ok(_) => self.skipped += 1,
                    Err(RecvError::Lagged(missed)) => self.skipped += missed,
                    Err(RecvError::Closed) => return None,
                },
            }
        }
    }
}

// === impl Pace ===

impl Pace {
    /// Whether one more is due now.
    fn admits(&mut self, now: Instant) -> bool {
        let one = Duration::from_secs(1) / RATE;
        let full_at = self.full_at.max(now) + one;
        let admitted = full_at.duration_since(now) <= one * RATE;
        if admitted {
            self.full_at = full_at;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decisions::Decisions;
    use std::time::SystemTime;

    fn remember(decisions: &Decisions, target: &str, count: usize) {
        for _ in 0..count {
            decisions.remember(Record {
                number: 0,
                time: SystemTime::UNIX_EPOCH,
                request_id: String::new(),
                target: target.to_owned(),
                model: "m".to_owned(),
                tokens: 0,
                rationed: false,
                decision: None,
            });
        }
    }

    #[test]
    fn a_second_admits_as_many_as_the_rate_says() {
        let start = Instant::now();
        let mut pace = Pace { full_at: start };
        let mut admitted = |at: Duration| (0..1000).filter(|_| pace.admits(start + at)).count();
        assert_eq!(admitted(Duration::ZERO), 20);
        assert_eq!(admitted(Duration::from_millis(99)), 1);
        assert_eq!(admitted(Duration::from_millis(100)), 1);
        assert_eq!(admitted(Duration::from_secs(1)), 18);
        assert_eq!(admitted(Duration::from_secs(100)), 20);
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_too_fast_is_told_as_a_number() {
        let decisions = Decisions::new(8);
        let wanted = Wanted { target: Some("default/a".to_owned()), ..Wanted::default() };
        let mut feed = Feed::new(decisions.feed(), wanted);
        remember(&decisions, "default/b", 30);
        remember(&decisions, "default/a", 25);
        for _ in 0..RATE {
            assert!(matches!(feed.next().await, Some(News::Decision(record)) if record.target == "default/a"));
        }
        assert!(matches!(feed.next().await, Some(News::Skipped(5))));
        tokio::time::advance(TELL).await;
        remember(&decisions, "default/a", 1000);
        assert!(matches!(feed.next().await, Some(News::Skipped(744))), "256 are kept for who is slow");
        drop(decisions);
        let mut told = Vec::new();
        while let Some(news) = feed.next().await {
            told.push(news);
        }
        assert_eq!(told.len(), 20);
    }
}
