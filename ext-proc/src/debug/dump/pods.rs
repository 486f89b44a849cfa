//! Pods as the picker has them, with what their engines say.

use crate::scrape::{Observed, Slot, Target};
use kthena_core::engine::{Adapters, EngineType};
use kthena_core::fleet::Seen;
use kthena_core::scheduling::Signals;
use kthena_crds::{ObjectRef, Pod, Time};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Who serves what, by Pod (`namespace/name`): each Pod that is shown is one look-up.
pub(super) struct Pods<'a> {
    /// With the ModelServers, `namespace/name`.
    serving: HashMap<&'a str, Vec<(&'a str, &'a Seen)>>,
    scraped: HashMap<&'a str, (EngineType, Arc<Observed>)>,
}

/// A Pod in a list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary<'a> {
    name: String,
    namespace: String,
    models: Option<Vec<&'a str>>,
    model_servers: Vec<&'a str>,
    metrics: Metrics,
    in_flight: u32,
    asleep: bool,
    #[serde(flatten)]
    said: Option<Said<'a>>,
}

/// A Pod alone.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Whole<'a> {
    #[serde(flatten)]
    summary: Summary<'a>,
    pod_info: PodInfo<'a>,
}

/// Upstream's names; `null` for what the engine does not say (upstream: 0).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metrics {
    gpu_cache_usage: Option<f32>,
    request_waiting_num: Option<u32>,
    request_running_num: Option<u32>,
    tpot: Option<f32>,
    ttft: Option<f32>,
}

/// Of an engine that is asked for its metrics.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Said<'a> {
    engine: EngineType,
    stale: bool,
    last_scrape_seconds_ago: Option<f64>,
    adapters: Option<&'a Adapters>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PodInfo<'a> {
    #[serde(rename = "podIP")]
    pod_ip: Option<&'a str>,
    node_name: Option<&'a str>,
    phase: Option<&'a str>,
    start_time: Option<&'a Time>,
    labels: Option<&'a BTreeMap<String, String>>,
}

// === impl Pods ===

impl<'a> Pods<'a> {
    /// The endpoints of each ModelServer, and those that are asked for their metrics.
    pub(super) fn new(pools: &'a [(String, Vec<Seen>)], targets: &'a HashMap<Target, Arc<Slot>>) -> Self {
        let mut serving: HashMap<_, Vec<_>> = HashMap::new();
        for (server, endpoint) in pools.iter().flat_map(|(server, all)| all.iter().map(move |one| (server, one))) {
            serving.entry(&*endpoint.pod).or_default().push((server.as_str(), endpoint));
        }
        let scraped = targets.iter().map(|(target, slot)| (&*target.pod, (target.engine, slot.observed())));
        Self { serving, scraped: scraped.collect() }
    }

    /// `None` for a Pod that serves no ModelServer.
    pub(super) fn summary(&self, pod: &Pod) -> Option<Summary<'_>> {
        let ObjectRef { namespace, name, .. } = ObjectRef::of(pod);
        let key = format!("{namespace}/{name}");
        let serving = self.serving.get(key.as_str())?;
        let (_, endpoint) = serving.first()?;
        let models = endpoint.models.as_deref();
        Some(Summary {
            name,
            namespace,
            models: models.map(|all| all.iter().map(|model| model.id.as_str()).collect()),
            model_servers: serving.iter().map(|(server, _)| *server).collect(),
            metrics: Metrics::of(&endpoint.load.signals.unwrap_or_default()),
            in_flight: endpoint.load.in_flight,
            asleep: endpoint.load.asleep(),
            said: self.scraped.get(key.as_str()).map(|(engine, observed)| Said::of(*engine, observed)),
        })
    }

    /// As [`Pods::summary`], with what Kubernetes says of it.
    pub(super) fn whole<'s>(&'s self, pod: &'s Pod) -> Option<Whole<'s>> {
        Some(Whole { summary: self.summary(pod)?, pod_info: PodInfo::of(pod) })
    }
}

// === impl Metrics ===

impl Metrics {
    fn of(signals: &Signals) -> Self {
        Self {
            gpu_cache_usage: signals.kv_cache_usage,
            request_waiting_num: signals.waiting,
            request_running_num: signals.running,
            tpot: signals.tpot,
            ttft: signals.ttft,
        }
    }
}

// === impl Said ===

impl<'a> Said<'a> {
    fn of(engine: EngineType, observed: &'a Observed) -> Self {
        Self {
            engine,
            stale: observed.stale,
            last_scrape_seconds_ago: observed.at.map(|at| at.elapsed().as_secs_f64()),
            adapters: observed.adapters.as_ref(),
        }
    }
}

// === impl PodInfo ===

impl<'a> PodInfo<'a> {
    fn of(pod: &'a Pod) -> Self {
        let status = pod.status.as_ref();
        Self {
            pod_ip: status.and_then(|status| status.pod_ip.as_deref()),
            node_name: pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()),
            phase: status.and_then(|status| status.phase.as_deref()),
            start_time: status.and_then(|status| status.start_time.as_ref()),
            labels: pod.metadata.labels.as_ref(),
        }
    }
}
