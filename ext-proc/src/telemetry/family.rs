//! Series of one name, told apart by labels, and never more than [`CAPACITY`] of them.
//!
//! Label values are names from the configuration or words of ours; nothing that a client makes up becomes
//! one. Configurations change, so series of names that are gone are dropped when they have been idle for a
//! while ([`GRACE`]). Names that are known can still be too many, each with its paths and statuses: a family
//! that is full drops whatever was idle for as long, and where nothing was, new series are counted in one that
//! says `other`. Both are counted.

use super::value::{Counter, Value};
use prometheus::proto::{self, LabelPair, Metric, MetricFamily, MetricType};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The most series of one family, those that say `other` not counted.
pub(super) const CAPACITY: usize = 4096;
/// How long a series of a name that is gone is still shown after its last use: two of Prometheus's
/// default look-backs of five minutes, so that its last increments are not missed.
pub(super) const GRACE: Duration = Duration::from_secs(600);
/// How often a full family looks for idle series: not at each request for a new one, as requests wait for it.
const SWEEP: Duration = Duration::from_secs(10);

/// No such thing: the request never came that far.
pub(super) const NONE: &str = "none";
/// A name that no ModelRoute offers.
pub(super) const UNKNOWN: &str = "unknown";
/// Too many values, or one outside a fixed vocabulary.
pub(super) const OTHER: &str = "other";

/// Label names that have a fixed vocabulary of ours: these keep their values in a full family.
const FIXED: [&str; 8] = ["path", "error_type", "backend_type", "token_type", "type", "plugin", "page", "reason"];
/// Label names whose values come from the configuration.
const CONFIGURED: [&str; 5] = ["model", "model_route", "model_server", "backend_name", "upstream_model"];

/// Something that can be scraped.
pub(super) trait Source: Send + Sync {
    /// Everything that it has to say.
    fn collect(&self) -> Vec<MetricFamily>;

    /// Drops what belongs to none of these names any more.
    fn prune(&self, _names: &HashSet<String>, _now: Instant) {}

    /// What it lost for want of room; `None` for what has no capacity.
    fn lost(&self) -> Option<Lost> {
        None
    }
}

/// What a family lost since the start, because it was full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lost {
    /// The family's name.
    pub(super) family: &'static str,
    /// Idle series that made room for others.
    pub(super) dropped: u64,
    /// Times that something was counted in a series that says `other`.
    pub(super) merged: u64,
}

/// Series of one name.
pub(super) struct Family<V, const N: usize> {
    name: &'static str,
    help: &'static str,
    labels: [&'static str; N],
    bounds: &'static [f64],
    series: Mutex<AllSeries<V, N>>,
    dropped: Counter,
    merged: Counter,
}

/// Label values, in the order of the labels' names.
type Key<const N: usize> = Arc<[Box<str>; N]>;

struct AllSeries<V, const N: usize> {
    by_key: HashMap<Key<N>, Series<V>>,
    /// When idle ones were looked for last because it was full.
    swept: Option<Instant>,
}

struct Series<V> {
    value: Arc<V>,
    used: Instant,
}

// === impl Family ===

impl<V: Value, const N: usize> Family<V, N> {
    pub(super) fn new(name: &'static str, help: &'static str, labels: [&'static str; N]) -> Arc<Self> {
        Self::bounded(name, help, labels, &[])
    }

    /// With the upper bounds of a histogram's buckets.
    pub(super) fn bounded(
        name: &'static str,
        help: &'static str,
        labels: [&'static str; N],
        bounds: &'static [f64],
    ) -> Arc<Self> {
        let series = Mutex::new(AllSeries { by_key: HashMap::new(), swept: None });
        Arc::new(Self { name, help, labels, bounds, series, dropped: Counter::default(), merged: Counter::default() })
    }

    /// The value at these labels, in the order of their names.
    pub(super) fn at(&self, values: [&str; N], now: Instant) -> Arc<V> {
        let mut key = values.map(Box::from);
        let mut all = self.lock();
        if let Some(series) = all.by_key.get_mut(&key) {
            series.used = now;
            return Arc::clone(&series.value);
        }
        if all.by_key.len() >= CAPACITY {
            self.dropped.add(all.sweep(now));
        }
        if all.by_key.len() >= CAPACITY {
            self.merged.add(1);
            for (value, name) in key.iter_mut().zip(self.labels) {
                if !FIXED.contains(&name) {
                    *value = OTHER.into();
                }
            }
        }
        let new = || Series { value: Arc::new(V::new(self.bounds)), used: now };
        let series = all.by_key.entry(Arc::new(key)).or_insert_with(new);
        series.used = now;
        Arc::clone(&series.value)
    }

    /// Drops the series whose label values are not kept.
    pub(super) fn retain(&self, keep: impl Fn([&str; N]) -> bool) {
        let kept = |key: &Key<N>| keep(std::array::from_fn(|place| key.get(place).map_or("", |value| &**value)));
        self.lock().by_key.retain(|key, _| kept(key));
    }

    /// Every series, sorted. Requests wait for the lock: only pointers are copied under it.
    fn all(&self) -> Vec<(Key<N>, Arc<V>)> {
        let mut all: Vec<_> =
            self.lock().by_key.iter().map(|(key, series)| (Arc::clone(key), Arc::clone(&series.value))).collect();
        all.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        all
    }

    fn gone(&self, key: &[Box<str>; N], names: &HashSet<String>) -> bool {
        key.iter().zip(self.labels).any(|(value, label)| {
            CONFIGURED.contains(&label) && !matches!(&**value, NONE | UNKNOWN | OTHER) && !names.contains(&**value)
        })
    }

    fn lock(&self) -> MutexGuard<'_, AllSeries<V, N>> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V, const N: usize> fmt::Debug for Family<V, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Family").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<V: Value, const N: usize> Source for Family<V, N> {
    fn collect(&self) -> Vec<MetricFamily> {
        let all = self.all();
        let metrics = all.iter().map(|(key, value)| {
            let mut metric = Metric::from_label(self.labels.into_iter().zip(&**key).map(|(n, v)| pair(n, v)).collect());
            value.write(&mut metric);
            metric
        });
        vec![family(self.name, self.help, V::KIND, metrics.collect())]
    }

    fn prune(&self, names: &HashSet<String>, now: Instant) {
        self.lock().by_key.retain(|key, series| !series.idle(now) || !self.gone(key, names));
    }

    fn lost(&self) -> Option<Lost> {
        Some(Lost { family: self.name, dropped: self.dropped.get(), merged: self.merged.get() })
    }
}

// === impl AllSeries ===

impl<V: Value, const N: usize> AllSeries<V, N> {
    /// Drops idle series, at most once in [`SWEEP`]; how many those were.
    fn sweep(&mut self, now: Instant) -> u64 {
        if self.swept.is_some_and(|swept| now.saturating_duration_since(swept) < SWEEP) {
            return 0;
        }
        self.swept = Some(now);
        let before = self.by_key.len();
        self.by_key.retain(|_, series| !series.idle(now));
        (before - self.by_key.len()) as u64
    }
}

// === impl Series ===

impl<V: Value> Series<V> {
    /// Whether its last use is so long ago that every scraper has seen it.
    fn idle(&self, now: Instant) -> bool {
        !self.value.busy() && now.saturating_duration_since(self.used) >= GRACE
    }
}

/// A label.
pub(super) fn pair(name: &str, value: &str) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value.to_owned());
    pair
}

/// A family of one series without labels.
pub(super) fn single(name: &str, help: &str, kind: MetricType, value: f64) -> MetricFamily {
    family(name, help, kind, vec![sample(Vec::new(), kind, value)])
}

/// A family, whole.
pub(super) fn family(name: &str, help: &str, kind: MetricType, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(metrics);
    family
}

/// One value of a counter or a gauge.
pub(super) fn sample(labels: Vec<LabelPair>, kind: MetricType, value: f64) -> Metric {
    let mut metric = Metric::from_label(labels);
    if kind == MetricType::COUNTER {
        let mut counter = proto::Counter::default();
        counter.set_value(value);
        metric.set_counter(counter);
    } else {
        let mut gauge = proto::Gauge::default();
        gauge.set_value(value);
        metric.set_gauge(gauge);
    }
    metric
}
