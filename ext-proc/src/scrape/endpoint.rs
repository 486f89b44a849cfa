//! One engine's task.

use super::failure::Failure;
use super::fetch::Fetcher;
use super::{Observed, Slot, Target};
use crate::picker::Picker;
use crate::telemetry::ScrapeMetrics;
use kthena_core::engine::Observer;
use kthena_core::scheduling::Snapshot;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{self, Instant, Interval, MissedTickBehavior};

/// After so many intervals without a page the last one tells nothing of now.
const STALE_AFTER: u32 = 3;

/// After so many first answers without a metric of the engine's, it says nothing of its load: Ollama, llama.cpp.
const MUTE_AFTER: u32 = 3;

/// So many intervals lie between two questions to one that says nothing of its load.
const MUTE_EVERY: u32 = 60;

/// An adapter that is loaded at run time is known after so many intervals.
const MODELS_EVERY: u32 = 2;

/// An engine that is asked.
pub(super) struct Endpoint {
    target: Target,
    /// As the picker knows it.
    address: String,
    picker: Arc<Picker>,
    slot: Arc<Slot>,
    interval: Duration,
    fetcher: Fetcher,
    metrics: Arc<ScrapeMetrics>,
}

/// What is known of its page of metrics.
struct Watch {
    observer: Observer,
    /// The last good page, or the beginning.
    good: Instant,
    /// Attempts since then.
    misses: u32,
    /// Whether it ever gave a page of metrics.
    spoke: bool,
    /// Answers without metrics, with nothing else between them; until it speaks.
    mute: u32,
}

// === impl Endpoint ===

impl Endpoint {
    pub(super) fn new(
        target: Target,
        slot: Arc<Slot>,
        picker: &Arc<Picker>,
        interval: Duration,
        fetcher: Fetcher,
        metrics: &Arc<ScrapeMetrics>,
    ) -> Self {
        let (address, picker, metrics) = (target.address.to_string(), Arc::clone(picker), Arc::clone(metrics));
        Self { target, address, picker, slot, interval, fetcher, metrics }
    }

    /// Asks after `delay` for the first time, and does not end. One page does not wait for the other.
    pub(super) async fn follow(self, delay: Duration) {
        time::sleep(delay).await;
        tokio::join!(self.follow_metrics(), self.follow_models());
    }

    async fn follow_metrics(&self) {
        let mut watch = Watch { observer: Observer::default(), good: Instant::now(), misses: 0, spoke: false, mute: 0 };
        self.scrape(&mut watch).await;
        let mut ticks = self.ticks(self.interval);
        loop {
            if watch.is_mute() {
                time::sleep(self.interval * MUTE_EVERY).await;
                ticks.reset_immediately();
            }
            ticks.tick().await;
            self.scrape(&mut watch).await;
        }
    }

    async fn follow_models(&self) {
        self.list().await;
        let mut ticks = self.ticks(self.interval * MODELS_EVERY);
        loop {
            ticks.tick().await;
            self.list().await;
        }
    }

    /// Each endpoint has a phase of its own, so that not all are asked at once for ever.
    fn ticks(&self, every: Duration) -> Interval {
        let mut ticks = time::interval_at(Instant::now() + every.mul_f64(fastrand::f64()), every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    }

    async fn scrape(&self, watch: &mut Watch) {
        let start = Instant::now();
        let before = self.picker.in_flight_at(&self.address);
        let patience = self.interval * STALE_AFTER;
        let too_old = watch.good + patience;
        // Its silence is noticed in time; one that is silent already may take as long to come back.
        let deadline = if start < too_old { too_old.max(start + self.interval) } else { start + patience };
        let read = match time::timeout_at(deadline, self.fetcher.metrics(&self.target)).await {
            Ok(read) => read,
            Err(_) => Err(Failure::Timeout),
        };
        let observed = read.and_then(|reading| {
            let foreign = |_| Failure::Foreign(format!("no metric of {} on the page", self.target.engine.name()));
            watch.observer.observe(&reading).map_err(foreign)
        });
        let now = Instant::now();
        match observed {
            Ok(observation) => {
                self.metrics.took(now.duration_since(start));
                let was_stale = self.slot.observed().stale;
                self.slot.observe(Observed {
                    signals: Some(observation.signals),
                    adapters: observation.adapters.clone(),
                    at: Some(now.into_std()),
                    stale: false,
                });
                self.picker.observe(&self.address, Some(observation), before);
                (watch.good, watch.misses, watch.spoke, watch.mute) = (now, 0, true, 0);
                if was_stale {
                    tracing::info!("{self}: its metrics are known again");
                }
            }
            // One that said so stays so, whatever it answers until it speaks.
            Err(_) if watch.is_mute() => {}
            Err(failure) => {
                self.metrics.failed("metrics", failure.reason());
                watch.misses += 1;
                watch.mute = if failure.is_mute() && !watch.spoke { watch.mute + 1 } else { 0 };
                if watch.is_mute() {
                    self.mute(&failure);
                } else if watch.mute == 0 && (watch.misses >= STALE_AFTER || now >= too_old) {
                    self.silent(&failure);
                }
            }
        }
    }

    /// Says once that there is nothing to know.
    fn mute(&self, failure: &Failure) {
        self.unknown(Observed::default());
        tracing::info!(
            "{self}: its engine says nothing of its load, picked by requests in flight alone: {failure}; asked again \
             every {MUTE_EVERY} intervals"
        );
    }

    /// Says once that what is known is too old.
    fn silent(&self, failure: &Failure) {
        let before = self.slot.observed();
        if before.stale {
            return;
        }
        self.unknown(Observed { signals: None, adapters: None, stale: true, at: before.at });
        tracing::warn!("{self}: no metrics for {STALE_AFTER} intervals, picked by requests in flight alone: {failure}");
    }

    /// Nothing that it said is true of now.
    fn unknown(&self, observed: Observed) {
        self.slot.observe(observed);
        self.picker.observe(&self.address, None, Snapshot::default());
    }

    async fn list(&self) {
        let wait = self.interval * MODELS_EVERY;
        let listed = match time::timeout(wait, self.fetcher.models(&self.target)).await {
            Ok(listed) => listed,
            Err(_) => Err(Failure::Timeout),
        };
        match listed {
            Ok(models) => {
                if let Some(models) = self.slot.list(models) {
                    self.picker.list(&self.address, models);
                }
            }
            Err(failure) => self.metrics.failed("models", failure.reason()),
        }
    }
}

// === impl Watch ===

impl Watch {
    /// Whether it answers, and never with metrics.
    fn is_mute(&self) -> bool {
        self.mute >= MUTE_AFTER
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pod {} ({})", self.target.pod, self.target.address)
    }
}
