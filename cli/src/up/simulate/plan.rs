//! Which simulators the manifests ask for: pure.
//!
//! A Pod with an address is simulated there, once for each port that ModelServers reach it at, or at its own. A
//! ModelServer without such a Pod gets two that are made up and belong to it alone, so that a choice of
//! endpoint can be seen.

use kthena_crds::model_server::Protocol;
use kthena_crds::{ModelRoute, ModelServer, ObjectRef, Pod, Problem, Resource, Resources, pod};
use kthena_router::local::port;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// Pods made up for a ModelServer that has none.
const MADE_UP: usize = 2;

/// What to run, and what cannot be.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// The simulators, those of the manifests' Pods first.
    pub simulators: Vec<Planned>,
    /// Pods that cannot be simulated.
    pub problems: Vec<Problem>,
}

/// One simulator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// `namespace/name` of its Pod.
    pub pod: String,
    /// Where it listens.
    pub place: Place,
    /// Names it serves; the first is the model's, never none.
    pub models: Vec<String>,
    /// LoRA adapters it has loaded, none of them also a model.
    pub loras: Vec<String>,
    /// Whether a ModelServer speaks TLS to it.
    pub tls: bool,
}

/// Where a simulator listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// At the address of a Pod of the manifests.
    Given(SocketAddr),
    /// At any free loopback address.
    MadeUp(MadeUp),
}

/// What a made-up Pod must say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeUp {
    /// `namespace/name` of the ModelServer that it belongs to.
    pub server: String,
    /// The ModelServer's port.
    pub port: u16,
    /// The labels that the ModelServer selects.
    pub labels: BTreeMap<String, String>,
}

/// Decides what to simulate.
pub fn plan(resources: &Resources) -> Plan {
    let mut given: BTreeMap<SocketAddr, (String, Names)> = BTreeMap::new();
    let mut made_up = Vec::new();
    let mut elsewhere = BTreeSet::new();
    for server in &resources.model_servers {
        let names = Names::of(server, &resources.model_routes);
        let pods: Vec<_> = resources.pods.iter().filter(|pod| serves(pod, server)).collect();
        if pods.is_empty() {
            made_up.extend((0..MADE_UP).map(|index| made_up_pod(server, index, &names)));
        }
        for pod in pods {
            match pod::pod_ip(pod) {
                Some(ip) if ip.is_loopback() => {
                    // What is no port is the router's to name, and is not served.
                    let Ok(port) = port(pod, server) else { continue };
                    let address = SocketAddr::new(ip, port);
                    let (_, all) = given.entry(address).or_insert_with(|| (key(pod), Names::default()));
                    all.absorb(&names);
                }
                Some(ip) => {
                    let message = format!("{ip} is not a loopback address (127.0.0.0/8), the Pod is not simulated");
                    elsewhere.insert(Problem::new(ObjectRef::of(pod), message).at("status.podIP"));
                }
                None => {}
            }
        }
    }
    let given = given.into_iter().map(|(address, (pod, names))| names.planned(pod, Place::Given(address)));
    Plan { simulators: given.chain(made_up).collect(), problems: elsewhere.into_iter().collect() }
}

/// Whether a Pod is an endpoint of a ModelServer, ready or not.
fn serves(pod: &Pod, server: &ModelServer) -> bool {
    ObjectRef::of(pod).namespace == ObjectRef::of(server).namespace
        && pod::matches(&server.spec.workload_selector.match_labels, pod)
        && pod::pod_ip(pod).is_some()
}

fn made_up_pod(server: &ModelServer, index: usize, names: &Names) -> Planned {
    let server_key = key(server);
    let labels = server.spec.workload_selector.match_labels.clone();
    let place = Place::MadeUp(MadeUp { server: server_key.clone(), port: server.spec.workload_port.port, labels });
    names.clone().planned(format!("{server_key}-sim-{index}"), place)
}

fn key<K: Resource<DynamicType = ()>>(object: &K) -> String {
    let ObjectRef { namespace, name, .. } = ObjectRef::of(object);
    format!("{namespace}/{name}")
}

/// The names that an engine must answer to.
#[derive(Debug, Clone, Default)]
struct Names {
    models: Vec<String>,
    loras: Vec<String>,
    tls: bool,
    /// What it is called where nothing names its model: it cannot be reached, but it can start.
    otherwise: String,
}

// === impl Names ===

impl Names {
    /// `spec.model`, or else what the routes to it call it; and their adapters.
    fn of(server: &ModelServer, routes: &[ModelRoute]) -> Self {
        let ObjectRef { namespace, name, .. } = ObjectRef::of(server);
        let targets_it = |route: &&ModelRoute| {
            let mut targets = route.spec.rules.iter().flat_map(|rule| &rule.target_models);
            ObjectRef::of(*route).namespace == namespace && targets.any(|target| target.model_server() == Some(&name))
        };
        let routes: Vec<_> = routes.iter().filter(targets_it).collect();
        let models = match server.spec.model() {
            Some(model) => vec![model.to_owned()],
            None => routes.iter().filter_map(|route| route.spec.name()).map(str::to_owned).collect(),
        };
        let loras = routes.iter().flat_map(|route| route.spec.lora_adapters.iter().cloned()).collect();
        let tls = server.spec.workload_port.protocol == Protocol::Https;
        Self { models, loras, tls, otherwise: name }
    }

    fn absorb(&mut self, other: &Self) {
        self.models.extend(other.models.iter().cloned());
        self.loras.extend(other.loras.iter().cloned());
        self.tls |= other.tls;
        if self.otherwise.is_empty() {
            self.otherwise.clone_from(&other.otherwise);
        }
    }

    fn planned(self, pod: String, place: Place) -> Planned {
        let mut models = unique(self.models, &[]);
        if models.is_empty() {
            models.push(self.otherwise);
        }
        // An engine refuses an adapter with the name of its model.
        let loras = unique(self.loras, &models);
        Planned { pod, place, models, loras, tls: self.tls }
    }
}

/// The names in their order, each once, without those in `except` and without empty ones.
fn unique(names: Vec<String>, except: &[String]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    names.into_iter().filter(|name| !name.is_empty() && !except.contains(name) && seen.insert(name.clone())).collect()
}

#[cfg(test)]
mod tests;
