use super::*;
use crate::{Picker, Pool};
use kthena_core::engine::{EngineType, Model, Observation};
use kthena_core::scheduling::{Profile, Snapshot};
use kthena_crds::Resources;
use std::net::SocketAddr;

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

#[test]
fn a_pod_shows_what_its_engine_said_and_null_for_what_it_did_not() {
    let debug = debug();
    let mut expected = json!({
        "name": "a", "namespace": "default", "engine": "vLLM", "models": null, "modelServers": ["default/s"],
        "metrics": {"gpuCacheUsage": null, "requestWaitingNum": null, "requestRunningNum": null, "tpot": null, "ttft": null},
        "inFlight": 0, "asleep": false, "stale": false, "lastScrapeSecondsAgo": null, "adapters": null,
    });
    assert_eq!(list(&debug, Kind::Pod), [expected.clone()]);

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
    assert_eq!(list(&debug, Kind::Pod), [expected]);
}
