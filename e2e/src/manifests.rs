//! Manifests as users write them, with the fields that a test turns.

/// A ModelRoute `name` for model `model`, with one rule that splits between ModelServers by weight.
pub fn route(name: &str, model: &str, targets: &[(&str, u32)]) -> String {
    let targets: String = targets
        .iter()
        .map(|(server, weight)| format!("    - modelServerName: {server}\n      weight: {weight}\n"))
        .collect();
    format!(
        "\
---
apiVersion: networking.serving.volcano.sh/v1alpha1
kind: ModelRoute
metadata:
  name: {name}
spec:
  modelName: {model}
  rules:
  - name: default
    targetModels:
{targets}"
    )
}

/// A ModelServer `name` of Pods labelled `app: name`, whose engines call their model `model`.
/// `more` are further lines under `spec`, indented by two.
pub fn server(name: &str, model: &str, more: &str) -> String {
    format!(
        "\
---
apiVersion: networking.serving.volcano.sh/v1alpha1
kind: ModelServer
metadata:
  name: {name}
spec:
  workloadSelector:
    matchLabels:
      app: {name}
  workloadPort:
    port: 8000
  model: {model}
  inferenceEngine: vLLM
{more}"
    )
}

/// A ready Pod `name` labelled `app: app`.
pub fn pod(name: &str, app: &str, ip: &str) -> String {
    format!(
        "\
---
apiVersion: v1
kind: Pod
metadata:
  name: {name}
  labels:
    app: {app}
status:
  podIP: {ip}
  phase: Running
  conditions:
  - type: Ready
    status: \"True\"
"
    )
}
