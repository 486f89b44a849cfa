use super::*;
use kube::{CustomResourceExt, Resource};

fn route(spec: &str) -> ModelRouteSpec {
    serde_saphyr::from_str(spec).unwrap()
}

#[test]
fn absent_fields_take_the_custom_resource_definition_s_defaults() {
    let spec = route(
        "
modelName: m
parentRefs: [{name: g}]
rules: [{targetModels: [{modelServerName: s}]}]
rateLimit: {inputTokensPerUnit: 10}
",
    );
    assert_eq!(spec.rules[0].target_models[0].weight, 100);
    assert_eq!(spec.rate_limit.unwrap().unit, RateLimitUnit::Second);
    let parent = &spec.parent_refs[0];
    assert_eq!((parent.group.as_str(), parent.kind.as_str()), ("gateway.networking.k8s.io", "Gateway"));
}

#[test]
fn every_field_survives_reading_and_writing() {
    let yaml = "
modelName: m
loraAdapters: [a, b]
parentRefs:
- {group: gateway.networking.k8s.io, kind: Gateway, namespace: ns, name: g, sectionName: http, port: 80}
rules:
- name: premium
  modelMatch:
    headers: {user-type: {exact: premium}, x: {prefix: p}}
    uri: {regex: ^/v1/chat}
    body: {model: m}
  targetModels:
  - {modelServerName: s, weight: 70}
  - {externalModelProviderName: e, weight: 30}
rateLimit:
  inputTokensPerUnit: 10
  outputTokensPerUnit: 5000
  unit: minute
  global: {redis: {address: 'redis:6379'}}
";
    let given: serde_json::Value = serde_saphyr::from_str(yaml).unwrap();
    assert_eq!(serde_json::to_value(route(yaml)).unwrap(), given);
}

#[test]
fn an_unknown_unit_is_told_the_accepted_ones() {
    let refused = serde_json::from_str::<RateLimit>(r#"{"unit": "week"}"#).unwrap_err();
    let expected = "unknown variant `week`, expected one of `second`, `minute`, `hour`, `day`, `month`";
    assert!(refused.to_string().contains(expected), "{refused}");
}

#[test]
fn an_empty_name_is_no_name() {
    let spec = route("{modelName: '', rules: [{targetModels: [{modelServerName: ''}]}]}");
    assert_eq!(spec.name(), None);
    assert_eq!(spec.rules[0].target_models[0].model_server(), None);
}

#[test]
fn the_kind_is_registered_as_upstream_names_it() {
    assert_eq!(ModelRoute::api_version(&()), "networking.serving.volcano.sh/v1alpha1");
    let definition = ModelRoute::crd();
    assert_eq!(definition.metadata.name.as_deref(), Some("modelroutes.networking.serving.volcano.sh"));
    assert_eq!(definition.spec.scope, "Namespaced");
    let version = &definition.spec.versions[0];
    assert!(version.subresources.as_ref().unwrap().status.is_some());
}
