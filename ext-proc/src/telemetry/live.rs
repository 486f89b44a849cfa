//! Requests under way, and how long their scheduling took.
//!
//! A request is counted from the picker's question to the end of its stream, which is the request's end. What
//! the filter answers alone (`/v1/models`, refusals), a body that still arrives, and requests that Envoy
//! serves while the picker is away are not counted.

use super::family::{Family, NONE, Source, single};
use super::value::{Counter, Gauge, Histogram};
use crate::picker::Profiles;
use kthena_core::fleet::PrefixUse;
use kthena_core::scheduling::Lap;
use prometheus::proto::{MetricFamily, MetricType};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Upstream's, in seconds.
const PLUGIN_DURATIONS: [f64; 6] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5];

/// Upstream's.
const MATCH_RATIOS: [f64; 9] = [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0];

/// What of a request the gauges tell apart: the client's model and where it goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whereto<'a> {
    pub(crate) model: &'a str,
    pub(crate) route: &'a str,
    pub(crate) server: &'a str,
    pub(crate) upstream_model: &'a str,
}

/// Gauges of requests under way, and the plugins' durations.
#[derive(Debug)]
pub(crate) struct Live {
    all: Arc<Gauge>,
    downstream: Arc<Family<Gauge, 1>>,
    upstream: Arc<Family<Gauge, 5>>,
    plugins: Arc<Family<Histogram, 3>>,
    match_ratio: Arc<Family<Histogram, 1>>,
    evictions: Arc<Family<Counter, 1>>,
}

/// A request under way: dropping it is its end.
#[derive(Debug)]
pub(crate) struct Underway([Arc<Gauge>; 3]);

/// Times the plugins of one decision.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    since: Instant,
    laps: Vec<(Lap, Duration)>,
}

struct Active(Arc<Gauge>);

// === impl Live ===

impl Live {
    pub(crate) fn new() -> Self {
        Self {
            all: Arc::default(),
            downstream: Family::new(
                "kthena_router_active_downstream_requests",
                "Clients' requests that the picker was asked about and that have not ended",
                ["model"],
            ),
            upstream: Family::new(
                "kthena_router_active_upstream_requests",
                "Requests on their way to an engine or answered by it",
                ["model_server", "model_route", "backend_type", "backend_name", "upstream_model"],
            ),
            plugins: Family::bounded(
                "kthena_router_scheduler_plugin_duration_seconds",
                "Time that a scheduler plugin took for one decision",
                ["model", "plugin", "type"],
                &PLUGIN_DURATIONS,
            ),
            match_ratio: Family::bounded(
                "kthena_router_prefix_cache_match_ratio",
                "Largest share of a prompt that any endpoint was thought to have in its cache",
                ["model"],
                &MATCH_RATIOS,
            ),
            evictions: Family::new(
                "kthena_router_prefix_cache_evictions_total",
                "Hashes of prompts that were dropped to make room for those of this model's",
                ["model"],
            ),
        }
    }

    pub(super) fn sources(&self) -> Vec<Arc<dyn Source>> {
        vec![
            Arc::new(Active(Arc::clone(&self.all))),
            Arc::clone(&self.downstream) as _,
            Arc::clone(&self.upstream) as _,
            Arc::clone(&self.plugins) as _,
            Arc::clone(&self.match_ratio) as _,
            Arc::clone(&self.evictions) as _,
        ]
    }

    /// Counts a request until its [`Underway`] is dropped.
    pub(crate) fn begin(&self, to: Whereto<'_>, now: Instant) -> Underway {
        let upstream = [to.server, to.route, "model_server", to.server, to.upstream_model];
        let gauges = [
            Arc::clone(&self.all),
            self.downstream.at([or_none(to.model)], now),
            self.upstream.at(upstream.map(or_none), now),
        ];
        for gauge in &gauges {
            gauge.add(1);
        }
        Underway(gauges)
    }

    /// Drops the durations of plugins that no profile has.
    pub(crate) fn plugins_are(&self, profiles: &Profiles) {
        self.plugins.retain(|[_, plugin, kind]| match kind {
            "filter" => profiles.all().any(|profile| profile.filters_by(plugin)),
            _ => profiles.all().any(|profile| profile.scores_by(plugin)),
        });
    }

    /// Records what a decision for `model` took.
    pub(crate) fn decided(&self, model: &str, watch: &Stopwatch) {
        for (lap, duration) in &watch.laps {
            let (plugin, kind) = match lap {
                Lap::Start => continue,
                Lap::Filter(plugin) => (plugin, "filter"),
                Lap::Scorer(plugin) => (plugin, "score"),
            };
            self.plugins.at([model, plugin, kind], watch.since).observe(duration.as_secs_f64());
        }
    }
}

impl Live {
    /// Records what the prefix of a prompt for `model` told.
    pub(crate) fn matched(&self, model: &str, prefix: PrefixUse, now: Instant) {
        self.match_ratio.at([model], now).observe(prefix.best);
        if prefix.evicted > 0 {
            self.evictions.at([model], now).add(prefix.evicted as u64);
        }
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        for gauge in &self.0 {
            gauge.add(-1);
        }
    }
}

// === impl Stopwatch ===

impl Stopwatch {
    pub(crate) fn new(now: Instant) -> Self {
        Self { since: now, laps: Vec::with_capacity(8) }
    }

    /// Takes a lap at its end.
    pub(crate) fn lap(&mut self, lap: Lap, now: Instant) {
        self.laps.push((lap, now.saturating_duration_since(self.since)));
        self.since = now;
    }
}

fn or_none(name: &str) -> &str {
    if name.is_empty() { NONE } else { name }
}

impl Source for Active {
    fn collect(&self) -> Vec<MetricFamily> {
        let help = "Requests that the picker was asked about and that have not ended";
        vec![single("kthena_router_active_requests", help, MetricType::GAUGE, self.0.get() as f64)]
    }
}
