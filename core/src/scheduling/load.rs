//! What an endpoint is doing now, from what we know at once and what its engine said a while ago.

/// What is known of one endpoint's work.
///
/// Its measurements have seven digits, so that it is small: every decision keeps one of each endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Load {
    /// Requests that we sent and that have not ended.
    pub in_flight: u32,
    /// Tokens of their prompts, estimated.
    pub tokens: u32,
    /// What the engine says of itself; `None` when it never said, or too long ago.
    pub signals: Option<Signals>,
    /// What we had in flight when it said so.
    pub then: Snapshot,
    /// Time to first token of our own requests there, in seconds ([`crate::latency`]).
    pub ttft: Option<f32>,
    /// Time per output token of our own requests there, in seconds.
    pub tpot: Option<f32>,
    /// How long our own requests take there, in seconds.
    pub duration: Option<f32>,
    /// Tokens of prompts that we sent and that are still to be computed, estimated ([`Load::work`]).
    pub prefill: f32,
    /// How many routers there seem to be that do as we do, ourselves included; below 1 counts as 1.
    pub routers: f32,
}

/// So many tokens of a prompt that is still to be computed count as one more request.
///
/// A request that decodes costs the others next to nothing; one whose prompt is computed makes all of them wait for
/// it, and whoever comes next too.
const PREFILL_OF_A_REQUEST: f64 = 512.0;

/// What we had in flight at an endpoint at some time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Requests.
    pub in_flight: u32,
    /// Tokens of their prompts.
    pub tokens: u32,
}

/// What an engine's own metrics say, at the last scrape; `None` for what they do not.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Signals {
    /// Requests that generate.
    pub running: Option<u32>,
    /// Requests that wait for a place.
    pub waiting: Option<u32>,
    /// Share of the KV cache in use, in [0, 1].
    pub kv_cache_usage: Option<f32>,
    /// How many tokens the KV cache holds.
    pub kv_cache_tokens: Option<u32>,
    /// Mean time to first token in seconds over the last interval that had any.
    pub ttft: Option<f32>,
    /// Mean time per output token in seconds, likewise.
    pub tpot: Option<f32>,
    /// Whether it is asleep: it answers health checks and no request.
    pub asleep: bool,
}

// === impl Load ===

impl Load {
    /// Requests that the endpoint has, as far as we know: max(in flight, running + waiting + (what we sent since -
    /// what of ours ended since) * routers).
    ///
    /// The engine sees what other routers sent, and what we sent before we were started again; we see what
    /// happened since it said so, up to a scrape's interval ago. Without the correction the endpoint that a scrape
    /// caught with one request would be shunned by all others until the next one. Upstream adds 100 * (in flight -
    /// running) to what is in flight, which weighs a request that no scrape has seen yet a hundred times one that
    /// runs: between two scrapes all requests shun whichever endpoint got the last one.
    ///
    /// Other routers see the same page and do as we do: where there are four, the endpoint that looked idle gets four
    /// times what we send it. Each corrected by its own share alone, they overshoot together, and back again.
    pub fn requests(&self) -> u32 {
        let counts = |signals: &Signals| signals.running.unwrap_or(0).saturating_add(signals.waiting.unwrap_or(0));
        let said = self.signals.as_ref().map_or(0, counts);
        self.in_flight.max(self.since(said, self.routers.max(1.0).into()))
    }

    /// Requests, and the prompts that are still to be computed counted once more: requests + prefill * routers / 512.
    ///
    /// Where many answers end at once, whoever counts requests alone sends all that come next to the endpoint that they
    /// ended at, one prompt behind the other.
    pub fn work(&self) -> f64 {
        self.work_with(self.requests())
    }

    /// The same where requests are known.
    pub(super) fn work_with(&self, requests: u32) -> f64 {
        f64::from(requests) + f64::from(self.prefill) * f64::from(self.routers.max(1.0)) / PREFILL_OF_A_REQUEST
    }

    /// Requests that wait in the engine; `None` when it does not say.
    ///
    /// While it has a queue, what we sent since waits too, and each of ours that ended let one in; without a queue
    /// nobody knows how much more the engine takes at once, so none is made up; nor of what others may have sent, as
    /// requests are refused by this figure.
    pub fn waiting(&self) -> Option<u32> {
        let waiting = self.signals.as_ref()?.waiting?;
        Some(if waiting == 0 { 0 } else { self.since(waiting, 1.0) })
    }

    /// Share of the KV cache in use, in [0, 1], brought up to now; `None` when the engine does not say.
    ///
    /// The tokens of the prompts that we sent and that ended since it said so are counted at `per_token` each where
    /// the engine's own share ([`Load::kv_cache_per_token`]) is not known. Without the correction all requests between
    /// two scrapes go to one endpoint, the one that was the emptiest.
    pub fn kv_cache_usage(&self, per_token: f64) -> Option<f64> {
        let usage = f64::from(self.signals.as_ref()?.kv_cache_usage?);
        if self.tokens == self.then.tokens {
            return Some(usage.clamp(0.0, 1.0));
        }
        let more = (f64::from(self.tokens) - f64::from(self.then.tokens)) * f64::from(self.routers.max(1.0));
        Some((usage + more * self.kv_cache_per_token().unwrap_or(per_token)).clamp(0.0, 1.0))
    }

    /// Whether there is a [`Load::kv_cache_per_token`].
    pub(super) fn tells_kv_cache_per_token(&self) -> bool {
        let sized = |signals: &Signals| matches!(signals.kv_cache_tokens, Some(1..));
        let used = |signals: &Signals| self.then.tokens > 0 && signals.kv_cache_usage.is_some_and(|usage| usage > 0.0);
        self.signals.as_ref().is_some_and(|signals| sized(signals) || used(signals))
    }

    /// Share of the KV cache that a token takes: by the size of the cache, or, where the engine does not say that one,
    /// on average over the tokens that were in flight when it gave its usage; `None` where none were, or it gave none.
    pub fn kv_cache_per_token(&self) -> Option<f64> {
        let signals = self.signals.as_ref()?;
        if let Some(tokens @ 1..) = signals.kv_cache_tokens {
            return Some(1.0 / f64::from(tokens));
        }
        let usage = signals.kv_cache_usage.filter(|usage| *usage > 0.0)?;
        (self.then.tokens > 0).then(|| f64::from(usage) / f64::from(self.then.tokens))
    }

    /// Time to first token in seconds: of our own requests, else what the engine says; `None` when nobody measured.
    pub fn ttft(&self) -> Option<f64> {
        self.ttft.or_else(|| self.signals.as_ref()?.ttft).map(f64::from)
    }

    /// Time per output token in seconds, likewise.
    pub fn tpot(&self) -> Option<f64> {
        self.tpot.or_else(|| self.signals.as_ref()?.tpot).map(f64::from)
    }

    /// Whether it said that it is asleep.
    pub fn asleep(&self) -> bool {
        self.signals.as_ref().is_some_and(|signals| signals.asleep)
    }

    /// A count of requests that the engine gave, brought up to now.
    fn since(&self, said: u32, routers: f64) -> u32 {
        if self.in_flight == self.then.in_flight {
            return said;
        }
        let since = (f64::from(self.in_flight) - f64::from(self.then.in_flight)) * routers;
        // Rounded, and saturated at both ends, by `as`.
        (f64::from(said) + since + 0.5) as u32
    }
}
