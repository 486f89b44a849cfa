//! Endpoints that fail are left out for a while.
//!
//! Envoy serves whatever endpoint the picker names, so that it is here where one that fails is passed over. Five failures
//! without a success in between eject an endpoint: a 5xx but 501, a connection refused or reset, no headers in time, an
//! answer that broke off. So do twenty refusals in a row (401, 403, 404, 429: an engine without its key, its adapter or a place).
//!
//! Both only while it is this endpoint's fault ([`Rest`], [`Answers`]): where the others do the same it is load, or what
//! clients send. Failures are compared by endpoint, not by request: engines that fail at once look idle and may draw all
//! requests, so that the good ones have nothing to show but that they did not fail.
//!
//! An endpoint is out for 10 s, and each time 10 s longer, up to 5 minutes; one that then stays well for as long as it
//! was out begins anew. Then one request tries it: a success brings it back, a failure ejects it again. Long answers are
//! heard of late: while nothing is heard, twice as many try it every 30 s.
//! However many fail, half of a pool stays in ([`spare`]): what fails everywhere is no endpoint's fault, and all of the load
//! on a few would bring those down.
//!
//! Times come in pairs: when a request was `sent`, and `now` when its end is heard of. What was sent before a row of
//! failures or before the end of an ejection says nothing of the time since.

use std::cmp::Reverse;
use std::time::Duration;

/// Failures in a row that eject.
const FAILURES: u32 = 5;

/// A row of failures that lasts so long is compared less strictly, then begun anew: that others failed too, once, may
/// have been chance. A trial is compared with so much of the time before it.
const LATE: Duration = Duration::from_secs(10);

/// Refusals in a row that eject, while the others refuse next to nothing.
const REFUSALS: u32 = 20;

/// Of what the others were asked meanwhile, one in so many may have been refused too.
const REFUSED_BY_OTHERS: u64 = 10;

/// How long an endpoint is out, times how often it was.
const OUT: Duration = Duration::from_secs(10);

/// The longest time that an endpoint is out.
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// Trials of which nothing is heard for so long are followed by twice as many: answers may be long, and logs be lost.
const TRIAL: Duration = Duration::from_secs(30);

/// No more trials than this at once: an engine that hangs is silent too.
const TRIALS: u32 = 16;

/// What all endpoints of a pool answered, ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Answers {
    /// Whose: an endpoint may be in several.
    pub(super) pool: u32,
    pub(super) served: u64,
    pub(super) refused: u64,
}

/// The other endpoints of a pool, and how many of them did not fail meanwhile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Rest {
    pub(super) others: usize,
    pub(super) well: usize,
}

/// How an endpoint did lately.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Health {
    failures: Row,
    refusals: Row,
    /// When it was last heard to fail.
    failed: Option<Duration>,
    /// What its pool had answered when the row of refusals, or the ejection for them, began.
    before: Answers,
    out: Option<Out>,
    /// Ejections in a row, and the last one's length.
    times: u32,
    length: Duration,
    /// When it came back.
    back: Duration,
}

/// What happened again and again, with nothing better in between.
#[derive(Debug, Clone, Copy, Default)]
struct Row {
    times: u32,
    /// When the first of the requests was sent.
    sent: Duration,
    /// When its end was heard of.
    heard: Duration,
}

/// An ejection that has not ended with a success.
#[derive(Debug, Clone, Copy)]
struct Out {
    until: Duration,
    /// Whether it was for what it refused, not for failures.
    refusing: bool,
    /// When requests began to be sent to try it, how many may be, and how many were.
    trial: Option<Duration>,
    trials: u32,
    tried: u32,
}

// === impl Rest ===

impl Rest {
    /// Whether an endpoint that fails is worse than the others: half of them did not fail.
    fn serves(self) -> bool {
        self.others > 0 && self.well * 2 >= self.others
    }
}

// === impl Row ===

impl Row {
    fn add(&mut self, sent: Duration, now: Duration) -> u32 {
        if self.times == 0 {
            (self.sent, self.heard) = (sent, now);
        }
        self.times = self.times.saturating_add(1);
        self.times
    }

    /// What was sent then ended well.
    fn end(&mut self, sent: Duration) {
        if sent >= self.sent {
            self.times = 0;
        }
    }
}

// === impl Health ===

impl Health {
    /// Until when it is out, or its trials last; `None` while it may be picked.
    pub(super) fn out_until(&self, now: Duration) -> Option<Duration> {
        let out = self.out?;
        let end = match out.trial {
            Some(trial) if out.tried >= out.trials => trial.saturating_add(TRIAL),
            _ => out.until,
        };
        (now < end).then_some(end)
    }

    /// Whether it was ejected and has not served since.
    pub(super) fn is_unwell(&self) -> bool {
        self.out.is_some()
    }

    /// Whether it was not heard to fail since then.
    pub(super) fn is_well_since(&self, since: Duration) -> bool {
        self.out.is_none() && self.failed.is_none_or(|failed| failed < since)
    }

    /// Since when the others are to be looked at should it fail now; `None` where that does not matter yet.
    pub(super) fn compared_since(&self, now: Duration) -> Option<Duration> {
        match self.out {
            Some(out) => (now >= out.until).then(|| now.saturating_sub(LATE)),
            None => (self.failures.times.saturating_add(1) >= FAILURES).then_some(self.failures.heard),
        }
    }

    /// A request was sent there.
    pub(super) fn sent(&mut self, now: Duration) {
        let Some(out) = self.out.as_mut().filter(|out| now >= out.until) else { return };
        match out.trial {
            Some(trial) if now < trial.saturating_add(TRIAL) => out.tried = out.tried.saturating_add(1),
            _ => {
                out.trials = out.trials.saturating_mul(2).clamp(1, TRIALS);
                (out.trial, out.tried) = (Some(now), 1);
            }
        }
    }

    /// It answered as it was asked to.
    pub(super) fn served(&mut self, sent: Duration, now: Duration) {
        self.failures.end(sent);
        self.refusals.end(sent);
        if self.out.is_some_and(|out| sent >= out.until) {
            self.come_back(now);
        }
    }

    /// It answered, though not as it was asked to: it is there.
    pub(super) fn answered(&mut self, sent: Duration, now: Duration) {
        self.failures.end(sent);
        if self.out.is_some_and(|out| sent >= out.until && !out.refusing) {
            self.come_back(now);
        }
    }

    /// It failed while the others of its pool ([`Health::compared_since`]) did so; whether that ejects it.
    pub(super) fn failed(&mut self, rest: Rest, sent: Duration, now: Duration) -> bool {
        self.failed = Some(now);
        match self.out {
            // What was under way fails with the rest.
            Some(out) if sent < out.until => return false,
            Some(_) if rest.well > 0 => return self.eject(false, now),
            // It is as good as the others.
            Some(_) => self.come_back(now),
            None => {}
        }
        self.refusals = Row::default();
        if self.failures.add(sent, now) < FAILURES {
            return false;
        }
        let late = now >= self.failures.heard.saturating_add(LATE);
        if rest.serves() || late && rest.well > 0 {
            return self.eject(false, now);
        }
        if late {
            self.failures = Row { times: 1, sent, heard: now };
        }
        false
    }

    /// It refused what it was asked, when its pool had answered so much, this one included; whether that ejects it.
    pub(super) fn refused(&mut self, pool: Answers, sent: Duration, now: Duration) -> bool {
        self.answered(sent, now);
        if let Some(out) = self.out {
            if self.before.pool != pool.pool {
                return false;
            }
            // Its own are not the others'.
            let own = self.refusals.add(sent, now);
            if sent < out.until {
                return false;
            }
            if self.refuses_alone(pool, own) {
                return self.eject_for_refusing(pool, now);
            }
            self.come_back(now);
        }
        if self.refusals.times == 0 || self.before.pool != pool.pool {
            (self.refusals, self.before) = (Row::default(), pool);
        }
        let own = self.refusals.add(sent, now);
        // Its own first one was counted before.
        own >= REFUSALS && self.refuses_alone(pool, own - 1) && self.eject_for_refusing(pool, now)
    }

    /// Whether the others served since, and refused next to nothing: of the refusals, so many are its own.
    fn refuses_alone(&self, pool: Answers, own: u32) -> bool {
        let served = pool.served.saturating_sub(self.before.served);
        let refused = pool.refused.saturating_sub(self.before.refused).saturating_sub(own.into());
        served > 0 && refused.saturating_mul(REFUSED_BY_OTHERS) <= served
    }

    fn come_back(&mut self, now: Duration) {
        (self.out, self.back) = (None, now);
        (self.failures, self.refusals) = Default::default();
    }

    fn eject_for_refusing(&mut self, pool: Answers, now: Duration) -> bool {
        self.before = pool;
        self.eject(true, now)
    }

    fn eject(&mut self, refusing: bool, now: Duration) -> bool {
        let well = self.out.is_none() && now >= self.back.saturating_add(self.length);
        self.times = if well { 1 } else { self.times.saturating_add(1) };
        self.length = OUT.saturating_mul(self.times).min(LONGEST);
        let until = now.saturating_add(self.length);
        self.out = Some(Out { until, refusing, trial: None, trials: 0, tried: 0 });
        (self.failures, self.refusals) = Default::default();
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
