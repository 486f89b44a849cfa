//! Which Pods serve which ModelServer.

use super::{Profiles, key, servers, transport};
use crate::data_plane::{EngineEndpoint, PickerPool};
use kthena_core::engine::{EngineType, Transport};
use kthena_crds::model_server::InferenceEngine;
use kthena_crds::{ModelServer, ObjectRef, Pod, Problem, Resources, pod};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Annotation of a Pod that `kthena up --simulate` made up: it belongs to this ModelServer
/// (`namespace/name`) alone, whatever others its labels match.
pub const SIMULATED_FOR: &str = "kthena.simulator/model-server";

/// Annotation of a Pod whose engine listens on this port (1 to 65535) whatever the ModelServer says: of engines that
/// share an address, as on a laptop, each has a port of its own, and they are one pool all the same.
pub const PORT: &str = "kthena.endpoint/port";

/// Envoy's endpoints by address, and the picker's by ModelServer (one for each, if only an empty one).
pub(super) fn compile(
    resources: &Resources,
    profiles: &Profiles,
    problems: &mut Vec<Problem>,
) -> (Vec<EngineEndpoint>, BTreeMap<String, PickerPool>) {
    let mut by_address: BTreeMap<SocketAddr, EngineEndpoint> = BTreeMap::new();
    let mut pools = BTreeMap::new();
    for server in &resources.model_servers {
        let server_key = key(server);
        let engine = match server.spec.inference_engine {
            InferenceEngine::Vllm => EngineType::Vllm,
            InferenceEngine::Sglang => EngineType::Sglang,
        };
        let transport = transport::compile(server, &resources.secrets, problems);
        let mut pool = PickerPool {
            engine,
            transport: transport.clone().unwrap_or_default(),
            profile: profiles.of(server).name.map(str::to_owned),
            fail_close: servers::fails_closed(server),
            endpoints: Vec::new(),
        };
        let pods = resources.pods.iter().filter(|pod| serves(pod, server, &server_key));
        for (pod, transport) in pods.filter_map(|pod| Some((pod, transport.as_ref()?))) {
            let Some(address) = address(pod, server, problems) else { continue };
            let endpoint = by_address.entry(address).or_insert_with(|| EngineEndpoint {
                address,
                pod: key(pod),
                servers: Vec::new(),
                transport: transport.clone(),
            });
            if endpoint.transport != *transport {
                problems.push(spoken_to_otherwise(server, endpoint, transport));
                continue;
            }
            // Two Pods at one address (host network) are one endpoint.
            if !endpoint.servers.contains(&server_key) {
                endpoint.servers.push(server_key.clone());
                pool.endpoints.push((address, key(pod)));
            }
        }
        pools.insert(server_key, pool);
    }
    (by_address.into_values().collect(), pools)
}

/// What is at an address speaks either TLS or not, and has one certificate.
fn spoken_to_otherwise(server: &ModelServer, endpoint: &EngineEndpoint, transport: &Transport) -> Problem {
    let (pod, address, servers) = (&endpoint.pod, endpoint.address, endpoint.servers.join(", "));
    let how = match (&endpoint.transport, transport) {
        (Transport::Plain, _) => "http",
        (_, Transport::Plain) => "https",
        _ => "https that is verified otherwise",
    };
    let message = format!("Pod {pod} ({address}) is served over {how} for ModelServer {servers}, not served here");
    Problem::new(ObjectRef::of(server), message).at("spec.workloadPort.protocol")
}

fn serves(pod: &Pod, server: &ModelServer, server_key: &str) -> bool {
    // The annotation narrows what the labels say; it never takes a Pod to a ModelServer that did not select it.
    annotation(pod, SIMULATED_FOR).is_none_or(|alone| alone == server_key)
        && ObjectRef::of(pod).namespace == ObjectRef::of(server).namespace
        && pod::matches(&server.spec.workload_selector.match_labels, pod)
}

/// The endpoint's address; `None` for a Pod that cannot serve now, with a problem if it never will.
fn address(pod: &Pod, server: &ModelServer, problems: &mut Vec<Problem>) -> Option<SocketAddr> {
    if !pod::ready(pod) {
        return None;
    }
    let Some(ip) = pod::pod_ip(pod) else {
        let given = pod.status.as_ref().and_then(|status| status.pod_ip.as_deref());
        let message = match given {
            Some(text) => format!("`{text}` is not an IP address"),
            None => "has no address yet".to_owned(),
        };
        problems.push(Problem::new(ObjectRef::of(pod), message).at("status.podIP"));
        return None;
    };
    let port = port(pod, server).map_err(|problem| problems.push(*problem)).ok()?;
    Some(SocketAddr::new(ip, port))
}

/// Where a Pod's engine listens for a ModelServer: at the Pod's own port ([`PORT`]), or else at the ModelServer's.
///
/// # Errors
/// The annotation is no port.
pub fn port(pod: &Pod, server: &ModelServer) -> Result<u16, Box<Problem>> {
    match annotation(pod, PORT) {
        None => Ok(server.spec.workload_port.port),
        Some(text) => match text.parse::<u16>() {
            Ok(port @ 1..) => Ok(port),
            Ok(0) | Err(_) => {
                let message = format!("invalid port {text:?}: expected 1 to 65535; the Pod is not served");
                Err(Problem::new(ObjectRef::of(pod), message).at(format!("metadata.annotations[{PORT}]")).into())
            }
        },
    }
}

fn annotation<'a>(pod: &'a Pod, name: &str) -> Option<&'a str> {
    pod.metadata.annotations.as_ref()?.get(name).map(String::as_str)
}
