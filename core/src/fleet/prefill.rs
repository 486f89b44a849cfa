//! Prompts on their way that are still to be computed.
//!
//! No engine tells when it has computed a prompt, and the access log tells of a request's first token at its end
//! only. So what was sent is taken to be computed one after the other, as fast as prompts were when nothing stood
//! before them.

use std::time::Duration;

/// Tokens a second where nobody measured.
const USUAL: f64 = 8192.0;

/// What a sample above the rate counts for: nothing stood before that prompt, or less.
const FASTER: f64 = 0.3;

/// What one below counts for: most likely something did.
const SLOWER: f64 = 0.001;

/// Shorter prompts say nothing of the rate: their first token takes what it takes.
const LEAST_TOKENS: f64 = 64.0;

/// The backlog of one engine.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Prefill {
    /// Tokens, at that time in seconds.
    backlog: (f64, f64),
    /// Tokens a second.
    rate: Option<f64>,
}

// === impl Prefill ===

impl Prefill {
    /// Tokens still to be computed at that time, in seconds.
    pub(super) fn backlog(&self, now: f64) -> f64 {
        let (tokens, at) = self.backlog;
        if tokens == 0.0 {
            return 0.0;
        }
        (tokens - (now - at).max(0.0) * self.rate.unwrap_or(USUAL)).max(0.0)
    }

    /// A prompt of so many tokens that are to be computed is on its way, behind those in flight: more than theirs is
    /// not computed, whatever was sent and refused or given up since.
    pub(super) fn send(&mut self, tokens: f64, in_flight: f64, now: f64) {
        self.backlog = (self.backlog(now).min(in_flight) + tokens, now);
    }

    /// How long a prompt of so many tokens takes with nothing before it.
    pub(super) fn time(&self, tokens: f64) -> Duration {
        Duration::try_from_secs_f64(tokens / self.rate.unwrap_or(USUAL)).unwrap_or(Duration::MAX)
    }

    /// A prompt of so many tokens that were to be computed had its first token after `ttft`.
    pub(super) fn observe(&mut self, tokens: f64, ttft: Duration) {
        if tokens < LEAST_TOKENS {
            return;
        }
        let sample = tokens / ttft.as_secs_f64().max(0.001);
        let rate = self.rate.unwrap_or(sample);
        self.rate = Some(rate + (sample - rate) * if sample > rate { FASTER } else { SLOWER });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn what_was_sent_is_computed_one_after_the_other() {
        let mut prefill = Prefill::default();
        prefill.observe(1000.0, seconds(1.0));
        prefill.send(1000.0, 0.0, 0.0);
        prefill.send(500.0, 1000.0, 0.5);
        let left: Vec<_> = [0.5, 1.0, 1.5, 9.0].map(|at| prefill.backlog(at)).into();
        assert_eq!(left, [1000.0, 500.0, 0.0, 0.0]);
    }

    #[test]
    fn a_huge_prompt_that_was_refused_leaves_no_backlog_to_those_behind_it() {
        let mut prefill = Prefill::default();
        prefill.send(16e6, 0.0, 0.0);
        prefill.send(100.0, 0.0, 0.01);
        assert_eq!(prefill.backlog(0.01), 100.0);
    }

    #[test]
    fn the_rate_is_that_of_prompts_that_did_not_wait() {
        let mut prefill = Prefill::default();
        for _ in 0..20 {
            prefill.observe(1000.0, seconds(0.1));
            (0..9).for_each(|_| prefill.observe(1000.0, seconds(5.0)));
        }
        assert!((7000.0..=10_000.0).contains(&prefill.rate.unwrap()), "{prefill:?}");
        prefill.observe(10.0, seconds(0.000_001));
        assert!(prefill.rate.unwrap() < 10_000.0, "a short prompt says nothing");
    }
}
