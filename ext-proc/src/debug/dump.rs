//! Objects as the debug server shows them.

use super::Debug;
use crate::scrape::{Slot, Target};
use kthena_core::fleet::Seen;
use kthena_core::scheduling::Signals;
use kthena_crds::{ModelRoute, ModelServer, ObjectRef, Pod, Resource};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// The kinds that can be dumped; those after `Pod` are not served in this version and always empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    ModelRoute,
    ModelServer,
    Pod,
    Gateway,
    HttpRoute,
    InferencePool,
}

impl Kind {
    pub(super) const ALL: [Self; 6] =
        [Self::ModelRoute, Self::ModelServer, Self::Pod, Self::Gateway, Self::HttpRoute, Self::InferencePool];

    pub(super) fn from_plural(plural: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.plural() == plural)
    }

    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::ModelRoute => "modelroutes",
            Self::ModelServer => "modelservers",
            Self::Pod => "pods",
            Self::Gateway => "gateways",
            Self::HttpRoute => "httproutes",
            Self::InferencePool => "inferencepools",
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ModelRoute => "ModelRoute",
            Self::ModelServer => "ModelServer",
            Self::Pod => "Pod",
            Self::Gateway => "Gateway",
            Self::HttpRoute => "HTTPRoute",
            Self::InferencePool => "InferencePool",
        }
    }
}

pub(super) fn list(debug: &Debug, kind: Kind) -> Vec<Value> {
    let resources = debug.resources.load();
    let pools = Pools::of(debug);
    match kind {
        Kind::ModelRoute => resources.model_routes.iter().map(route).collect(),
        Kind::ModelServer => resources.model_servers.iter().map(|server| pools.server(server)).collect(),
        // As upstream: Pods that serve a ModelServer, not whatever else runs in the namespace.
        Kind::Pod => resources.pods.iter().filter_map(|pod| pools.pod(pod)).collect(),
        Kind::Gateway | Kind::HttpRoute | Kind::InferencePool => Vec::new(),
    }
}

pub(super) fn one(debug: &Debug, kind: Kind, namespace: &str, name: &str) -> Option<Value> {
    let resources = debug.resources.load();
    let pools = Pools::of(debug);
    match kind {
        Kind::ModelRoute => find(&resources.model_routes, namespace, name).map(route),
        Kind::ModelServer => find(&resources.model_servers, namespace, name).map(|server| pools.server(server)),
        Kind::Pod => {
            let found = find(&resources.pods, namespace, name)?;
            let mut value = pools.pod(found)?;
            value["podInfo"] = pod_info(found);
            Some(value)
        }
        Kind::Gateway | Kind::HttpRoute | Kind::InferencePool => None,
    }
}

fn find<'a, K: Resource<DynamicType = ()>>(objects: &'a [K], namespace: &str, name: &str) -> Option<&'a K> {
    objects.iter().find(|object| {
        let object = ObjectRef::of(*object);
        object.namespace == namespace && object.name == name
    })
}

fn route(route: &ModelRoute) -> Value {
    let ObjectRef { namespace, name, .. } = ObjectRef::of(route);
    json!({ "name": name, "namespace": namespace, "spec": route.spec })
}

fn pod_info(pod: &Pod) -> Value {
    let status = pod.status.as_ref();
    json!({
        "podIP": status.and_then(|status| status.pod_ip.as_deref()),
        "nodeName": pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()),
        "phase": status.and_then(|status| status.phase.as_deref()),
        "startTime": status.and_then(|status| status.start_time.as_ref()),
        "labels": pod.metadata.labels,
    })
}

/// Who serves what, as the picker has it, and what the engines say.
struct Pools {
    /// With the ModelServer, `namespace/name`.
    members: Vec<(String, Seen)>,
    scraped: Arc<HashMap<Target, Arc<Slot>>>,
}

impl Pools {
    fn of(debug: &Debug) -> Self {
        let pools = debug.picker.endpoints().into_iter();
        let members = pools.flat_map(|(target, endpoints)| endpoints.into_iter().map(move |e| (target.clone(), e)));
        Self { members: members.collect(), scraped: debug.picker.targets().current() }
    }

    fn server(&self, server: &ModelServer) -> Value {
        let ObjectRef { namespace, name, .. } = ObjectRef::of(server);
        let key = format!("{namespace}/{name}");
        let pods: Vec<&str> = self.members.iter().filter(|(target, _)| *target == key).map(|(_, e)| &*e.pod).collect();
        json!({
            "name": name,
            "namespace": namespace,
            "spec": server.spec,
            "associatedPods": pods,
            "decodePods": null,
            "prefillPods": null,
        })
    }

    /// `None` for a Pod that serves no ModelServer.
    fn pod(&self, pod: &Pod) -> Option<Value> {
        let ObjectRef { namespace, name, .. } = ObjectRef::of(pod);
        let key = format!("{namespace}/{name}");
        let serves = || self.members.iter().filter(|(_, member)| *member.pod == *key);
        let servers: Vec<&str> = serves().map(|(target, _)| target.as_str()).collect();
        let endpoint = &serves().next()?.1;
        let mut value = json!({
            "name": name,
            "namespace": namespace,
            "models": endpoint.models.as_ref().map(|all| all.iter().map(|model| &model.id).collect::<Vec<_>>()),
            "modelServers": servers,
            "metrics": metrics(&endpoint.load.signals.unwrap_or_default()),
            "inFlight": endpoint.load.in_flight,
            "asleep": endpoint.load.asleep(),
        });
        if let Some((target, slot)) = self.scraped.iter().find(|(target, _)| *target.pod == *key) {
            let observed = slot.observed();
            value["engine"] = json!(target.engine);
            value["stale"] = json!(observed.stale);
            value["lastScrapeSecondsAgo"] = json!(observed.at.map(|at| at.elapsed().as_secs_f64()));
            value["adapters"] = json!(observed.adapters);
        }
        Some(value)
    }
}

/// Upstream's names; `null` for what the engine does not say (upstream: 0).
fn metrics(signals: &Signals) -> Value {
    json!({
        "gpuCacheUsage": signals.kv_cache_usage,
        "requestWaitingNum": signals.waiting,
        "requestRunningNum": signals.running,
        "tpot": signals.tpot,
        "ttft": signals.ttft,
    })
}

#[cfg(test)]
mod tests;
