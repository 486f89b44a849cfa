use super::*;
use crate::{Picker, Pool};
use kthena_core::engine::{EngineType, Model, Observation};
use kthena_core::scheduling::{Profile, Signals, Snapshot};
use kthena_crds::Resources;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;

fn debug() -> Debug {
    let picker = Picker::new(Profile::default());
    let endpoints = vec![(SocketAddr::from(([10, 0, 0, 1], 8000)), "default/a".to_owned())];
    picker.publish(crate::Pools::new([(
        "default/s".to_owned(),
        Pool { engine: Some(EngineType::Vllm), endpoints, ..Pool::default() },
    )]));
    let pod = json!({"metadata": {"name": "a", "namespace": "default"}, "status": {"podIP": "10.0.0.1"}});
    let pods = vec![serde_json::from_value(pod).unwrap()];
    let debug = Debug::new(picker, None);
    debug.resources.store(Arc::new(Resources { pods, ..Resources::default() }));
    debug
}

fn listed(debug: &Debug, kind: Kind) -> Value {
    serde_json::from_slice(&list(debug, kind).unwrap()).unwrap()
}

fn shown(debug: &Debug, kind: Kind, name: &str) -> Option<Value> {
    let one = one(debug, kind, "default", name).unwrap();
    one.map(|json| serde_json::from_slice(&json).unwrap())
}

#[test]
fn a_pod_shows_what_its_engine_said_and_null_for_what_it_did_not() {
    let debug = debug();
    let mut expected = json!({
        "name": "a", "namespace": "default", "engine": "vLLM", "models": null, "modelServers": ["default/s"],
        "metrics": {"gpuCacheUsage": null, "requestWaitingNum": null, "requestRunningNum": null, "tpot": null, "ttft": null},
        "inFlight": 0, "asleep": false, "stale": false, "lastScrapeSecondsAgo": null, "adapters": null,
    });
    assert_eq!(listed(&debug, Kind::Pod), json!({ "pods": [expected] }));

    let signals = Signals {
        running: Some(2),
        waiting: Some(1),
        kv_cache_usage: Some(0.5),
        ttft: Some(0.25),
        asleep: true,
        ..Signals::default()
    };
    let observation = Observation { signals, adapters: None, restarted: false };
    debug.picker.observe("10.0.0.1:8000", Some(observation), Snapshot::default());
    let models = vec![Model { id: "m".into(), parent: None }, Model { id: "lora".into(), parent: Some("m".into()) }];
    debug.picker.list("10.0.0.1:8000", Arc::new(models));
    expected["metrics"] = json!({
        "gpuCacheUsage": 0.5, "requestWaitingNum": 1, "requestRunningNum": 2, "tpot": null, "ttft": 0.25,
    });
    expected["models"] = json!(["m", "lora"]);
    expected["asleep"] = json!(true);
    assert_eq!(listed(&debug, Kind::Pod), json!({ "pods": [expected] }));
}

#[test]
fn a_pod_alone_also_shows_what_kubernetes_says_of_it() {
    let debug = debug();
    let pods = json!([
        {"metadata": {"name": "a", "namespace": "default", "labels": {"app": "x"}}, "spec": {"nodeName": "n", "containers": []},
         "status": {"podIP": "10.0.0.1", "phase": "Running", "startTime": "2026-01-02T03:04:05Z"}},
        {"metadata": {"name": "other", "namespace": "default"}},
    ]);
    let pods = serde_json::from_value(pods).unwrap();
    debug.resources.store(Arc::new(Resources { pods, ..Resources::default() }));
    let mut expected = listed(&debug, Kind::Pod)["pods"][0].clone();
    expected["podInfo"] = json!({
        "podIP": "10.0.0.1", "nodeName": "n", "phase": "Running", "startTime": "2026-01-02T03:04:05Z", "labels": {"app": "x"},
    });
    assert_eq!(shown(&debug, Kind::Pod, "a"), Some(expected));
    assert_eq!(shown(&debug, Kind::Pod, "other"), None, "it serves no ModelServer");
    assert_eq!(shown(&debug, Kind::Pod, "nobody"), None);
}

#[test]
fn a_model_server_shows_its_pods_and_a_kind_without_objects_null() {
    let debug = debug();
    let spec = json!({
        "inferenceEngine": "vLLM", "workloadSelector": {"matchLabels": {"app": "x"}}, "workloadPort": {"port": 8000},
    });
    let named = |name: &str| json!({"metadata": {"name": name, "namespace": "default"}, "spec": spec});
    let model_servers = serde_json::from_value(json!([named("s"), named("empty")])).unwrap();
    debug.resources.store(Arc::new(Resources { model_servers, ..Resources::default() }));
    let listed_all = listed(&debug, Kind::ModelServer);
    let row = |name: &str, pods: &[&str]| {
        let shown = shown(&debug, Kind::ModelServer, name).unwrap();
        assert_eq!(shown["spec"]["workloadPort"]["port"], 8000);
        assert_eq!(shown["associatedPods"], json!(pods));
        assert_eq!((&shown["decodePods"], &shown["prefillPods"]), (&Value::Null, &Value::Null));
        shown
    };
    assert_eq!(listed_all, json!({ "modelservers": [row("s", &["default/a"]), row("empty", &[])] }));
    assert_eq!(listed(&debug, Kind::ModelRoute), json!({ "modelroutes": null }));
    assert_eq!(listed(&debug, Kind::Gateway), json!({ "gateways": null }));
}
