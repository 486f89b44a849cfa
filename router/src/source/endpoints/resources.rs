//! From what engines said to the objects that somebody would have written for them: pure.
//!
//! Every name that an engine answers to goes to exactly the engines that answer to it. So names are grouped by their
//! engines: each group is a ModelServer, and an engine's Pod carries the labels of all the groups it is in. An adapter
//! that one of two engines has loaded thus goes to that one only, while their model is spread over both; an engine
//! with fifty models is one ModelServer. A ModelServer has one kind of engine, so a name that two kinds serve is split
//! between two by the number of their engines.

use super::engine::{Engine, Kind};
use super::name::names;
use super::state::State;
use crate::source::Snapshot;
use k8s_openapi::api::core::v1::{PodCondition, PodStatus};
use kthena_crds::model_route::{ModelRouteSpec, Rule, TargetModel};
use kthena_crds::model_server::{InferenceEngine, ModelServerSpec, Protocol, WorkloadPort, WorkloadSelector};
use kthena_crds::problem::DEFAULT_NAMESPACE;
use kthena_crds::{ModelRoute, ModelServer, Pod, Problem, Resource, Resources, Subject};
use kthena_envoy::PORT;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// What the label of a ModelServer's Pods begins with; its name follows.
const LABEL: &str = "kthena.endpoint";

/// As many adapters as a ModelRoute may have.
const MOST_ADAPTERS: usize = 10;

/// What is to be served, and what is to be said about the engines that are not.
pub fn snapshot(states: &[State]) -> Snapshot {
    let (found, problems) = found(states);
    let offers = offers(&found);
    let servers = Servers::new(&offers);
    let route_names = names(offers.iter().map(|offer| offer.name));
    let mut resources = Resources {
        model_routes: routes(&offers, &found, &servers, &route_names),
        model_servers: servers.objects(&found),
        pods: servers.pods(&found),
        secrets: Vec::new(),
    };
    resources.sort();
    Snapshot::new(resources, Vec::new(), problems, Vec::new())
}

/// An engine that has answered, now or before.
struct Found<'a> {
    state: &'a State,
    engine: &'a Engine,
}

/// Every engine once, and the problems.
fn found(states: &[State]) -> (Vec<Found<'_>>, Vec<Problem>) {
    let mut problems = Vec::new();
    // Whoever answers now has the address; where one was that does not, another may be today.
    let mut owners: BTreeMap<SocketAddr, &State> = BTreeMap::new();
    for ready in [true, false] {
        for state in states.iter().filter(|state| state.is_ready() == ready) {
            if let Some(engine) = &state.engine {
                owners.entry(engine.address).or_insert(state);
            }
        }
    }
    let mut found = Vec::new();
    for state in states {
        let mut say =
            |message: String| problems.push(Problem::new(Subject::Endpoint(state.endpoint.to_string()), message));
        match (&state.trouble, &state.engine) {
            (Some(trouble), None) => say(format!("waiting: {trouble}; asked again until it serves")),
            (Some(trouble), Some(_)) => say(format!("{trouble}; gets no requests until it answers")),
            (None, Some(Engine { kind: Kind::Other, .. })) => say(
                "no metrics of vLLM or SGLang, served as if it were vLLM; of its load only our own requests are known"
                    .to_owned(),
            ),
            (None, _) => {}
        }
        let Some(engine) = &state.engine else { continue };
        match owners.get(&engine.address) {
            Some(owner) if !std::ptr::eq(*owner, state) => {
                // Of one that does not answer, only that is known.
                if state.is_ready() {
                    say(format!("the same engine as {}, both are {}; served once", owner.endpoint, engine.address));
                }
            }
            _ => found.push(Found { state, engine }),
        }
    }
    (found, problems)
}

/// Indexes of engines, those served as vLLM apart from those served as SGLang.
type Members = [BTreeSet<usize>; 2];

const KINDS: [InferenceEngine; 2] = [InferenceEngine::Vllm, InferenceEngine::Sglang];

/// A name and who answers to it.
struct Offer<'a> {
    name: &'a str,
    /// Only where it is an adapter everywhere.
    parent: Option<&'a str>,
    members: Members,
}

/// Every name once, adapters last, otherwise as the engines list them.
fn offers<'a>(found: &[Found<'a>]) -> Vec<Offer<'a>> {
    let mut offers: Vec<Offer<'a>> = Vec::new();
    let mut index: BTreeMap<&str, usize> = BTreeMap::new();
    for (member, Found { engine, .. }) in found.iter().enumerate() {
        let kind = usize::from(engine.kind.inference_engine() == InferenceEngine::Sglang);
        for model in &engine.models {
            let parent = model.parent.as_deref();
            let at = *index.entry(&model.name).or_insert(offers.len());
            if at == offers.len() {
                offers.push(Offer { name: &model.name, parent, members: Members::default() });
            }
            offers[at].parent = offers[at].parent.filter(|_| parent.is_some());
            offers[at].members[kind].insert(member);
        }
    }
    offers.sort_by_key(|offer| offer.parent.is_some());
    offers
}

fn routes(
    offers: &[Offer<'_>],
    found: &[Found<'_>],
    servers: &Servers<'_>,
    names: &BTreeMap<&str, String>,
) -> Vec<ModelRoute> {
    let mut routes: Vec<ModelRoute> = Vec::new();
    // The route of a model, to which its adapters go if they are where it is.
    let mut of_model: BTreeMap<&str, (usize, &Members)> = BTreeMap::new();
    for offer in offers {
        if let Some(parent) = offer.parent
            && let Some((at, members)) = of_model.get(parent)
            && **members == offer.members
            && let adapters = &mut routes[*at].spec.lora_adapters
            && adapters.len() < MOST_ADAPTERS
        {
            adapters.push(offer.name.to_owned());
            continue;
        }
        let (model_name, lora_adapters) = match offer.parent {
            None => (Some(offer.name.to_owned()), Vec::new()),
            Some(_) => (None, vec![offer.name.to_owned()]),
        };
        let rule = Rule { target_models: servers.targets(&offer.members, found), ..Rule::default() };
        let spec = ModelRouteSpec { model_name, lora_adapters, rules: vec![rule], ..ModelRouteSpec::default() };
        if offer.parent.is_none() {
            of_model.insert(offer.name, (routes.len(), &offer.members));
        }
        routes.push(placed(ModelRoute::new(&names[offer.name], spec)));
    }
    routes
}

/// The ModelServers: a name for each group of engines of one kind.
struct Servers<'a>(BTreeMap<(usize, &'a BTreeSet<usize>), String>);

impl<'a> Servers<'a> {
    /// Each is named after the first model of its group; those of SGLang say so, as vLLM may serve the same model.
    fn new(offers: &'a [Offer<'_>]) -> Self {
        let mut groups = BTreeMap::new();
        for offer in offers {
            for (kind, members) in offer.members.iter().enumerate().filter(|(_, members)| !members.is_empty()) {
                groups.entry((kind, members)).or_insert_with(|| match KINDS[kind] {
                    InferenceEngine::Vllm => offer.name.to_owned(),
                    InferenceEngine::Sglang => format!("{} sglang", offer.name),
                });
            }
        }
        let names = names(groups.values().map(String::as_str));
        Self(groups.iter().map(|(group, text)| (*group, names[text.as_str()].clone())).collect())
    }

    fn targets(&self, members: &Members, found: &[Found<'_>]) -> Vec<TargetModel> {
        let ready = members.each_ref().map(|of_kind| of_kind.iter().filter(|at| found[**at].state.is_ready()).count());
        let groups = members.iter().enumerate().filter(|(_, members)| !members.is_empty());
        let target = |(kind, members)| TargetModel {
            model_server_name: self.0.get(&(kind, members)).cloned(),
            external_model_provider_name: None,
            weight: match ready {
                // Of one kind, or with nobody there: the answer is the ModelServer's either way.
                [0, _] | [_, 0] if ready[kind] > 0 || ready == [0, 0] => 100,
                _ => u32::try_from(ready[kind]).unwrap_or(u32::MAX).min(100),
            },
        };
        groups.map(target).collect()
    }

    fn objects(&self, found: &[Found<'_>]) -> Vec<ModelServer> {
        let object = |((kind, members), name): (&(usize, &BTreeSet<usize>), &String)| {
            // Each Pod says its own port; this one is for people.
            let port = members.first().map_or(80, |first| found[*first].engine.address.port());
            let match_labels = BTreeMap::from([label(name)]);
            let spec = ModelServerSpec {
                // Absent: the name that is asked for goes on as it is, aliases and adapters too.
                model: None,
                inference_engine: KINDS[*kind],
                workload_selector: WorkloadSelector { match_labels, pd_group: None },
                workload_port: WorkloadPort { port, protocol: Protocol::Http },
                traffic_policy: None,
                kv_connector: None,
            };
            placed(ModelServer::new(name, spec))
        };
        self.0.iter().map(object).collect()
    }

    fn pods(&self, found: &[Found<'_>]) -> Vec<Pod> {
        let authorities: Vec<_> = found.iter().map(|found| found.state.endpoint.authority()).collect();
        let names = names(authorities.iter().map(String::as_str));
        let pod = |(member, authority): (usize, &String)| {
            let groups = self.0.iter().filter(|((_, members), _)| members.contains(&member));
            let Found { state, engine } = found[member];
            let mut pod = Pod::default();
            pod.metadata.name = Some(names[authority.as_str()].clone());
            pod.metadata.labels = Some(groups.map(|(_, server)| label(server)).collect());
            pod.metadata.annotations = Some(BTreeMap::from([(PORT.to_owned(), engine.address.port().to_string())]));
            let ready = if state.is_ready() { "True" } else { "False" };
            let condition =
                PodCondition { type_: "Ready".to_owned(), status: ready.to_owned(), ..PodCondition::default() };
            pod.status = Some(PodStatus {
                pod_ip: Some(engine.address.ip().to_string()),
                phase: Some("Running".to_owned()),
                conditions: Some(vec![condition]),
                ..PodStatus::default()
            });
            placed(pod)
        };
        authorities.iter().enumerate().map(pod).collect()
    }
}

fn label(server: &str) -> (String, String) {
    (format!("{LABEL}/{server}"), "true".to_owned())
}

fn placed<K: Resource>(mut object: K) -> K {
    object.meta_mut().namespace = Some(DEFAULT_NAMESPACE.to_owned());
    object
}

#[cfg(test)]
mod tests;
