//! Ways in which an engine can fail its clients, on request: what is armed, and whom it strikes.

mod fault;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::ensure;
use serde::Serialize;
use tokio::sync::watch;

pub use fault::{Fault, Kind};

use crate::engine::SplitMix64;

/// The armed faults of one simulator.
#[derive(Debug)]
pub struct Faults {
    armed: Mutex<Vec<Armed>>,
    /// Draws whom a share strikes.
    seed: u64,
    changed: watch::Sender<()>,
}

/// One fault, and what became of it.
#[derive(Debug, Clone, Serialize)]
pub struct Armed {
    #[serde(flatten)]
    fault: Fault,
    /// Requests that it struck.
    struck: u64,
    /// Requests that it could have struck.
    #[serde(skip)]
    seen: u64,
    #[serde(skip)]
    since: Instant,
}

/// More than anyone needs at a time.
const MAX_ARMED: usize = 64;

// === impl Faults ===

impl Faults {
    pub fn new(seed: u64) -> Self {
        Self { armed: Mutex::default(), seed, changed: watch::Sender::new(()) }
    }

    /// Arms faults behind those that are armed already.
    ///
    /// # Errors
    ///
    /// Too many; none is armed then.
    pub fn arm(&self, faults: Vec<Fault>, now: Instant) -> anyhow::Result<()> {
        let mut armed = self.lock();
        let count = armed.len() + faults.len();
        ensure!(count <= MAX_ARMED, "{count} faults are too many: at most {MAX_ARMED} can be armed at a time");
        armed.extend(faults.into_iter().map(|fault| Armed { fault, struck: 0, seen: 0, since: now }));
        drop(armed);
        self.changed.send_replace(());
        Ok(())
    }

    /// What is armed, in the order in which it is tried.
    pub fn shown(&self) -> Vec<Armed> {
        self.lock().clone()
    }

    pub fn clear(&self) {
        self.lock().clear();
        self.changed.send_replace(());
    }

    /// The first armed fault that strikes a request for `path`; `poll` says that it is a path that
    /// only a fault naming it strikes.
    pub fn strike(&self, path: &str, poll: bool) -> Option<Fault> {
        let mut armed = self.lock();
        armed.iter_mut().find_map(|armed| armed.strike(path, poll, self.seed))
    }

    /// Whether connections are refused now, and for how long: `Some(None)` is for ever.
    pub fn refusing(&self, now: Instant) -> Option<Option<Instant>> {
        let armed = self.lock();
        let ends = armed.iter().filter(|armed| armed.fault.kind == Kind::Refuse).map(|armed| {
            let length = armed.fault.duration?;
            // A time beyond the clock is for ever.
            armed.since.checked_add(length)
        });
        // None is less than any time, and here more than any.
        ends.filter(|end| end.is_none_or(|end| end > now)).max_by_key(|end| (end.is_none(), *end))
    }

    /// Completes when something was armed or cleared.
    pub fn changed(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Armed>> {
        // No step under the lock can leave the list half changed.
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Armed ===

impl Armed {
    fn strike(&mut self, path: &str, poll: bool, seed: u64) -> Option<Fault> {
        let fault = &self.fault;
        let meant = fault.path.as_deref().map_or(!poll, |prefix| path.starts_with(prefix));
        if fault.kind == Kind::Refuse || !meant || fault.count.is_some_and(|count| self.struck >= count) {
            return None;
        }
        let drawn = SplitMix64::at(seed, self.seen) as f64 / u64::MAX as f64;
        self.seen += 1;
        if drawn >= fault.share.unwrap_or(1.0) && fault.share.is_some() {
            return None;
        }
        self.struck += 1;
        Some(fault.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn armed(faults: &[&str]) -> Faults {
        let armed = Faults::new(0);
        let faults = faults.iter().map(|text| text.parse().expect("a fault")).collect();
        armed.arm(faults, Instant::now()).expect("few");
        armed
    }

    fn kinds(faults: &Faults, paths: &[&str]) -> Vec<Option<Kind>> {
        paths.iter().map(|path| faults.strike(path, *path == "/health").map(|fault| fault.kind)).collect()
    }

    #[test]
    fn the_first_fault_that_has_strikes_left_is_taken() {
        let faults = armed(&["close:count=2", "garbage:count=1"]);
        let seen = kinds(&faults, &["/v1/a"; 4]);
        assert_eq!(seen, [Some(Kind::Close), Some(Kind::Close), Some(Kind::Garbage), None]);
    }

    #[test]
    fn polls_are_struck_only_when_they_are_named() {
        let paths = ["/health", "/v1/models"];
        assert_eq!(kinds(&armed(&["close"]), &paths), [None, Some(Kind::Close)]);
        assert_eq!(kinds(&armed(&["close:path=/health"]), &paths), [Some(Kind::Close), None]);
    }

    #[test]
    fn a_share_strikes_about_as_many_and_always_the_same() {
        let strikes = || {
            let faults = armed(&["close:share=0.25"]);
            (0..1000).map(|_| faults.strike("/", false).is_some()).collect::<Vec<_>>()
        };
        let count = strikes().iter().filter(|struck| **struck).count();
        assert!((200..300).contains(&count), "{count}");
        assert_eq!(strikes(), strikes());
        assert!(kinds(&armed(&["close:share=0"]), &["/"; 20]).iter().all(Option::is_none));
    }

    #[test]
    fn a_refusal_ends_with_its_time_and_the_longest_counts() {
        let (faults, now) = (Faults::new(0), Instant::now());
        let refuse = |text: &str| faults.arm(vec![text.parse().expect("a fault")], now).expect("few");
        assert_eq!(faults.refusing(now), None);
        refuse("refuse:for=1s");
        refuse("refuse:for=2s");
        let end = now + Duration::from_secs(2);
        assert_eq!(faults.refusing(now), Some(Some(end)));
        assert_eq!(faults.refusing(end), None);
        refuse("refuse");
        assert_eq!(faults.refusing(end), Some(None));
        faults.clear();
        assert_eq!(faults.refusing(now), None);
    }
}
