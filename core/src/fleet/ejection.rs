//! Endpoints that fail are left out for a while.
//!
//! Envoy serves whatever endpoint the picker names, so that it is here where one that fails is passed over. Five failures
//! without a success in between eject an endpoint: a 5xx, a connection refused or reset, no headers in time, an answer that
//! broke off. So do twenty refusals in a row (401, 403, 404, 429: an engine without its key, its adapter or a place) while the
//! others of the pool refuse next to nothing: what every engine refuses is the client's fault. They need not have served
//! anything either: an engine that refuses is idle and quick, and may draw all requests.
//!
//! An endpoint is out for 10 s, and each time 10 s longer, up to 5 minutes; one that then stays well for as long as it
//! was out begins anew. Then one request tries it: a success brings it back, a failure ejects it again.
//! However many fail, half of a pool stays in ([`spare`]): what fails everywhere is no endpoint's fault, and all of the load
//! on a few would bring those down.

use std::cmp::Reverse;
use std::time::Duration;

/// Failures in a row that eject.
const FAILURES: u32 = 5;

/// Refusals in a row that eject, while the others refuse next to nothing.
const REFUSALS: u32 = 20;

/// Of what the others were asked meanwhile, one in so many may have been refused too.
const REFUSED_BY_OTHERS: u64 = 10;

/// How long an endpoint is out, times how often it was.
const OUT: Duration = Duration::from_secs(10);

/// The longest time that an endpoint is out.
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// A trial of which nothing is heard for so long is followed by another: answers may be long, and logs be lost.
const TRIAL: Duration = Duration::from_secs(30);

/// What all endpoints of a pool answered, ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Answers {
    pub(super) served: u64,
    pub(super) refused: u64,
}

/// How an endpoint did lately.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Health {
    /// In a row.
    failures: u32,
    /// In a row.
    refusals: u32,
    /// What its pool had answered when the row began.
    before: Answers,
    out: Option<Out>,
    /// Ejections in a row, and the last one's length.
    times: u32,
    length: Duration,
    /// When it came back.
    back: Duration,
}

/// An ejection that has not ended with a success.
#[derive(Debug, Clone, Copy)]
struct Out {
    until: Duration,
    /// Whether it was for what it refused, not for failures.
    refusing: bool,
    /// When a request was sent to try it.
    trial: Option<Duration>,
}

// === impl Health ===

impl Health {
    /// Until when it is out, or its trial lasts; `None` while it may be picked.
    pub(super) fn out_until(&self, now: Duration) -> Option<Duration> {
        let out = self.out?;
        let end = out.trial.map_or(out.until, |trial| trial.saturating_add(TRIAL));
        (now < end).then_some(end)
    }

    /// Whether it was ejected and has not served since.
    pub(super) fn is_unwell(&self) -> bool {
        self.out.is_some()
    }

    /// A request was sent there.
    pub(super) fn sent(&mut self, now: Duration) {
        if let Some(out) = &mut self.out
            && now >= out.until
        {
            out.trial = Some(now);
        }
    }

    /// It answered as it was asked to.
    pub(super) fn served(&mut self, now: Duration) {
        (self.failures, self.refusals) = (0, 0);
        // What ends earlier began before it was ejected, and says nothing of now.
        if self.out.is_some_and(|out| now >= out.until) {
            (self.out, self.back) = (None, now);
        }
    }

    /// It answered, though not as it was asked to: it is there.
    pub(super) fn answered(&mut self, now: Duration) {
        self.failures = 0;
        if self.out.is_some_and(|out| now >= out.until && !out.refusing) {
            (self.out, self.back) = (None, now);
        }
    }

    /// It failed; whether that ejects it.
    pub(super) fn failed(&mut self, now: Duration) -> bool {
        self.refusals = 0;
        match self.out {
            // What was under way fails with the rest.
            Some(out) if now < out.until => false,
            Some(_) => self.eject(false, now),
            None => {
                self.failures = self.failures.saturating_add(1);
                self.failures >= FAILURES && self.eject(false, now)
            }
        }
    }

    /// It refused what it was asked, when its pool had answered so much, this one included; whether that ejects it.
    pub(super) fn refused(&mut self, pool: Answers, now: Duration) -> bool {
        self.answered(now);
        match self.out {
            Some(out) if now < out.until => return false,
            Some(_) => return self.eject(true, now),
            None => {}
        }
        if self.refusals == 0 {
            self.before = pool;
        }
        self.refusals = self.refusals.saturating_add(1);
        let served = pool.served.saturating_sub(self.before.served);
        // Its own first one was counted before.
        let refused = pool.refused.saturating_sub(self.before.refused).saturating_sub(u64::from(self.refusals) - 1);
        self.refusals >= REFUSALS && refused.saturating_mul(REFUSED_BY_OTHERS) <= served && self.eject(true, now)
    }

    fn eject(&mut self, refusing: bool, now: Duration) -> bool {
        let well = self.out.is_none() && now >= self.back.saturating_add(self.length);
        self.times = if well { 1 } else { self.times.saturating_add(1) };
        self.length = OUT.saturating_mul(self.times).min(LONGEST);
        self.out = Some(Out { until: now.saturating_add(self.length), refusing, trial: None });
        (self.failures, self.refusals) = (0, 0);
        true
    }
}

/// Which of those that are `out`, with the time until which they are, stay out of a pool of that size: half of it at the
/// most, those that are out the longest. Endpoints go by their indexes, sorted.
pub(super) fn spare(mut out: Vec<(usize, Duration)>, size: usize) -> Vec<usize> {
    out.sort_by_key(|(_, until)| Reverse(*until));
    let mut out: Vec<_> = out.into_iter().take(size / 2).map(|(index, _)| index).collect();
    out.sort_unstable();
    out
}

#[cfg(test)]
mod tests;
