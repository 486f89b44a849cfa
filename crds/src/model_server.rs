//! ModelServer: a group of engine pods that serve one model.
//!
//! Field names, defaults and bounds follow `modelservers.networking.serving.volcano.sh` v1alpha1.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use traffic::{Retry, TrafficPolicy};
pub use workload::{PdGroup, Protocol, WorkloadPort, WorkloadSelector};

mod traffic;
mod workload;

/// The pods of an engine, how to reach them and how long to wait for them.
#[derive(CustomResource, Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[expect(clippy::duplicated_attributes, reason = "two printer columns are of one type")]
#[kube(
    group = "networking.serving.volcano.sh",
    version = "v1alpha1",
    kind = "ModelServer",
    doc = "ModelServer is the Schema for the modelservers API.",
    namespaced,
    status = "ModelServerStatus",
    derive = "PartialEq",
    printcolumn(
        name = "Engine",
        type_ = "string",
        json_path = ".spec.inferenceEngine",
        description = "Inference engine used to serve the model"
    ),
    printcolumn(
        name = "Port",
        type_ = "integer",
        json_path = ".spec.workloadPort.port",
        description = "Model server port"
    ),
    printcolumn(
        name = "Protocol",
        type_ = "string",
        json_path = ".spec.workloadPort.protocol",
        description = "Model server protocol"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct ModelServerSpec {
    /// The name the engine knows its model by; replaces the request's `model` unless that named a
    /// LoRA adapter. Absent and empty mean the same: see [`ModelServerSpec::model`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub model: Option<String>,

    /// The engine the pods run.
    pub inference_engine: InferenceEngine,

    /// Which pods, in the ModelServer's own namespace.
    pub workload_selector: WorkloadSelector,

    /// Where on the pods.
    pub workload_port: WorkloadPort,

    /// How long to wait and how often to retry. Absent: the defaults of the data plane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic_policy: Option<TrafficPolicy>,

    /// How prefill hands its KV cache to decode. Absent: chosen by engine, which differs from an
    /// empty object, whose type is `http`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kv_connector: Option<KvConnector>,
}

impl ModelServerSpec {
    /// `model`, or `None` when it is absent or empty.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref().filter(|model| !model.is_empty())
    }
}

/// The observed state of a ModelServer; nothing is written yet.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
pub struct ModelServerStatus {}

/// The software that serves the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum InferenceEngine {
    /// vLLM.
    #[serde(rename = "vLLM")]
    Vllm,
    /// SGLang.
    #[serde(rename = "SGLang")]
    Sglang,
}

/// How prefill hands its KV cache to decode.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KvConnector {
    /// The protocol between the two.
    #[serde(rename = "type", default)]
    pub kind: KvConnectorType,
}

/// The protocol of a [`KvConnector`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KvConnectorType {
    /// Plain requests, one after the other.
    #[default]
    Http,
    /// LMCache.
    Lmcache,
    /// NIXL.
    Nixl,
    /// Mooncake.
    Mooncake,
}

#[cfg(test)]
mod tests;
