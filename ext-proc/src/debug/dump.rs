//! Objects as the debug server shows them, borrowed from where they are: there may be thousands.

mod pods;

use super::Debug;
use kthena_core::fleet::Seen;
use kthena_crds::{ModelRoute, ModelRouteSpec, ModelServer, ModelServerSpec, ObjectRef, Resource};
use pods::Pods;
use serde::Serialize;
use serde_json::Result;
use std::collections::HashMap;

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

#[derive(Serialize)]
struct Route<'a> {
    name: String,
    namespace: String,
    spec: &'a ModelRouteSpec,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Server<'a> {
    name: String,
    namespace: String,
    spec: &'a ModelServerSpec,
    associated_pods: Vec<&'a str>,
    decode_pods: Option<Vec<&'a str>>,
    prefill_pods: Option<Vec<&'a str>>,
}

/// `{"<plural>": [...]}`, with `null` where there is none.
pub(super) fn list(debug: &Debug, kind: Kind) -> Result<Vec<u8>> {
    let resources = debug.resources.load();
    match kind {
        Kind::ModelRoute => table(kind, resources.model_routes.iter().map(Route::of)),
        Kind::ModelServer => {
            let pools = debug.picker.endpoints().into_iter().collect();
            table(kind, resources.model_servers.iter().map(|server| Server::of(server, &pools)))
        }
        // As upstream: Pods that serve a ModelServer, not whatever else runs in the namespace.
        Kind::Pod => {
            let (pools, targets) = (debug.picker.endpoints(), debug.picker.targets().current());
            let pods = Pods::new(&pools, &targets);
            table(kind, resources.pods.iter().filter_map(|pod| pods.summary(pod)))
        }
        Kind::Gateway | Kind::HttpRoute | Kind::InferencePool => table(kind, std::iter::empty::<()>()),
    }
}

/// One object; `None` where there is no such one.
pub(super) fn one(debug: &Debug, kind: Kind, namespace: &str, name: &str) -> Result<Option<Vec<u8>>> {
    let resources = debug.resources.load();
    let object = match kind {
        Kind::ModelRoute => {
            find(&resources.model_routes, namespace, name).map(|route| serde_json::to_vec(&Route::of(route)))
        }
        Kind::ModelServer => find(&resources.model_servers, namespace, name).map(|server| {
            let pools = debug.picker.endpoints().into_iter().collect();
            serde_json::to_vec(&Server::of(server, &pools))
        }),
        Kind::Pod => find(&resources.pods, namespace, name).and_then(|pod| {
            let (pools, targets) = (debug.picker.endpoints(), debug.picker.targets().current());
            Some(serde_json::to_vec(&Pods::new(&pools, &targets).whole(pod)?))
        }),
        Kind::Gateway | Kind::HttpRoute | Kind::InferencePool => None,
    };
    object.transpose()
}

fn table(kind: Kind, objects: impl Iterator<Item = impl Serialize>) -> Result<Vec<u8>> {
    let objects: Vec<_> = objects.collect();
    serde_json::to_vec(&HashMap::from([(kind.plural(), (!objects.is_empty()).then_some(objects))]))
}

fn find<'a, K: Resource<DynamicType = ()>>(objects: &'a [K], namespace: &str, name: &str) -> Option<&'a K> {
    objects.iter().find(|object| {
        let object = ObjectRef::of(*object);
        object.namespace == namespace && object.name == name
    })
}

// === impl Route ===

impl<'a> Route<'a> {
    fn of(route: &'a ModelRoute) -> Self {
        let ObjectRef { namespace, name, .. } = ObjectRef::of(route);
        Self { name, namespace, spec: &route.spec }
    }
}

// === impl Server ===

impl<'a> Server<'a> {
    /// With its endpoints among those of all ModelServers by `namespace/name`, as the picker has them.
    fn of(server: &'a ModelServer, pools: &'a HashMap<String, Vec<Seen>>) -> Self {
        let ObjectRef { namespace, name, .. } = ObjectRef::of(server);
        let endpoints = pools.get(&format!("{namespace}/{name}")).into_iter().flatten();
        Self {
            name,
            namespace,
            spec: &server.spec,
            associated_pods: endpoints.map(|endpoint| &*endpoint.pod).collect(),
            decode_pods: None,
            prefill_pods: None,
        }
    }
}

#[cfg(test)]
mod tests;
