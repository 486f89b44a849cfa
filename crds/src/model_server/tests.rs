use super::*;
use crate::Duration;
use kube::{CustomResourceExt, Resource};

const MINIMAL: &str = "
inferenceEngine: vLLM
workloadSelector: {matchLabels: {app: a}}
workloadPort: {port: 8000}
";

fn server(spec: &str) -> ModelServerSpec {
    serde_saphyr::from_str(spec).unwrap()
}

#[test]
fn absent_fields_take_the_custom_resource_definition_s_defaults() {
    let spec = server(&format!("{MINIMAL}\ntrafficPolicy: {{retry: {{attempts: 2}}}}"));
    assert_eq!(spec.workload_port.protocol, Protocol::Http);
    let retry = spec.traffic_policy.unwrap().retry.unwrap();
    assert_eq!(retry.retry_interval, Duration::from_millis(100));
}

#[test]
fn an_absent_kv_connector_differs_from_an_empty_one() {
    assert_eq!(server(MINIMAL).kv_connector, None);
    let empty = server(&format!("{MINIMAL}\nkvConnector: {{}}")).kv_connector;
    assert_eq!(empty.unwrap().kind, KvConnectorType::Http);
}

#[test]
fn every_field_survives_reading_and_writing() {
    let yaml = "
model: deepseek-ai/DeepSeekV2
inferenceEngine: SGLang
kvConnector: {type: nixl}
workloadSelector:
  matchLabels: {modelserving.volcano.sh/name: deepseek}
  pdGroup:
    groupKey: modelserving.volcano.sh/group-name
    prefillLabels: {modelserving.volcano.sh/role: prefill}
    decodeLabels: {modelserving.volcano.sh/role: decode}
workloadPort: {port: 8443, protocol: https}
trafficPolicy: {timeout: 10s, retry: {attempts: 3, retryInterval: 50ms}}
";
    let given: serde_json::Value = serde_saphyr::from_str(yaml).unwrap();
    assert_eq!(serde_json::to_value(server(yaml)).unwrap(), given);
}

#[test]
fn a_refused_value_is_told_the_accepted_ones() {
    for (field, value, expected) in [
        ("inferenceEngine", "Foo", "unknown variant `Foo`, expected `vLLM` or `SGLang`"),
        ("workloadPort", "{port: 0}", "invalid port 0: expected 1 to 65535"),
        ("workloadPort", "{port: 70000}", "invalid port 70000: expected 1 to 65535"),
        ("workloadPort", "{port: 1, protocol: tcp}", "expected `http` or `https`"),
        ("kvConnector", "{type: x}", "expected one of `http`, `lmcache`, `nixl`, `mooncake`"),
        ("trafficPolicy", "{timeout: soon}", "invalid duration \"soon\": expected numbers with units"),
    ] {
        let mut spec: serde_json::Value = serde_saphyr::from_str(MINIMAL).unwrap();
        spec[field] = serde_saphyr::from_str(value).unwrap();
        let refused = serde_json::from_value::<ModelServerSpec>(spec).unwrap_err();
        assert!(refused.to_string().contains(expected), "{refused}");
    }
}

#[test]
fn negative_attempts_mean_no_retry() {
    for (given, expected) in [(None, None), (Some(-1), Some(0)), (Some(0), Some(0)), (Some(3), Some(3))] {
        let retry = Retry { attempts: given, retry_interval: Duration::default() };
        assert_eq!(retry.attempts(), expected);
    }
}

#[test]
fn the_kind_is_registered_as_upstream_names_it() {
    assert_eq!(ModelServer::api_version(&()), "networking.serving.volcano.sh/v1alpha1");
    let definition = ModelServer::crd();
    assert_eq!(definition.metadata.name.as_deref(), Some("modelservers.networking.serving.volcano.sh"));
    let version = &definition.spec.versions[0];
    assert!(version.subresources.as_ref().unwrap().status.is_some());
    let columns: Vec<_> =
        version.additional_printer_columns.iter().flatten().map(|column| column.name.as_str()).collect();
    assert_eq!(columns, ["Engine", "Port", "Protocol", "Age"]);
}
