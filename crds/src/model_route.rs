//! ModelRoute: which model names and requests go to which targets.
//!
//! Field names, defaults and bounds follow `modelroutes.networking.serving.volcano.sh` v1alpha1.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use rate_limit::{GlobalRateLimit, RateLimit, RateLimitUnit, RedisConfig};

mod rate_limit;

/// The desired routing of requests for one model name, or for LoRA adapters.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "networking.serving.volcano.sh",
    version = "v1alpha1",
    kind = "ModelRoute",
    doc = "ModelRoute is the Schema for the Modelroutes API.",
    namespaced,
    status = "ModelRouteStatus",
    derive = "PartialEq",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct ModelRouteSpec {
    /// Compared exactly with the request's `model`. May name a model that exists nowhere else.
    /// Absent and empty mean the same: see [`ModelRouteSpec::name`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_name: Option<String>,

    /// LoRA adapter names, each compared exactly with the request's `model`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub lora_adapters: Vec<String>,

    /// The Gateways this route is attached to. Empty: the default listener.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parent_refs: Vec<ParentReference>,

    /// Ordered: the first rule that matches a request is used.
    #[schemars(length(max = 16))]
    pub rules: Vec<Rule>,

    /// Token limits of the whole route. Absent: unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
}

impl ModelRouteSpec {
    /// `modelName`, or `None` when it is absent or empty.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.model_name.as_deref().filter(|name| !name.is_empty())
    }
}

/// The observed state of a ModelRoute; nothing is written yet.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
pub struct ModelRouteStatus {}

/// One rule of a route.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// A name for people; nothing refers to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,

    /// What a request must look like. Absent: every request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_match: Option<ModelMatch>,

    /// Where requests go, shared by weight.
    #[schemars(length(min = 1, max = 16))]
    pub target_models: Vec<TargetModel>,
}

/// Conditions on a request; all that are present must hold.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelMatch {
    /// By header name, in any case. A missing header equals the empty string.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, StringMatch>,

    /// On the path without its query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<StringMatch>,

    /// On the request's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<BodyMatch>,
}

/// A condition on the body.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BodyMatch {
    /// Compared exactly with the request's `model`. Absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// A condition on a text. Of several fields the first of `exact`, `prefix`, `regex` counts; none
/// at all matches everything.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StringMatch {
    /// The whole text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<String>,

    /// Its first bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,

    /// An unanchored search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
}

/// One target of a rule: exactly one of the two names is set, in the route's own namespace.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetModel {
    /// A ModelServer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_server_name: Option<String>,

    /// An ExternalModelProvider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_model_provider_name: Option<String>,

    /// This target's share, 0 to 100, relative to the sum over the rule.
    #[serde(default = "default_weight")]
    #[schemars(range(min = 0, max = 100))]
    pub weight: u32,
}

impl TargetModel {
    /// The ModelServer's name, or `None` when it is absent or empty.
    #[must_use]
    pub fn model_server(&self) -> Option<&str> {
        self.model_server_name.as_deref().filter(|name| !name.is_empty())
    }

    /// The ExternalModelProvider's name, or `None` when it is absent or empty.
    #[must_use]
    pub fn external_model_provider(&self) -> Option<&str> {
        let name = self.external_model_provider_name.as_deref();
        name.filter(|name| !name.is_empty())
    }
}

const fn default_weight() -> u32 {
    100
}

/// A Gateway that a route is attached to (Gateway API's `ParentReference`).
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParentReference {
    /// The parent's API group.
    #[serde(default = "default_parent_group")]
    pub group: String,

    /// The parent's kind.
    #[serde(default = "default_parent_kind")]
    pub kind: String,

    /// The parent's namespace. Absent: the route's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,

    /// The parent's name.
    pub name: String,

    /// A listener of the parent, by name. Absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section_name: Option<String>,

    /// Listeners of the parent, by port. Absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i32>,
}

fn default_parent_group() -> String {
    "gateway.networking.k8s.io".to_owned()
}

fn default_parent_kind() -> String {
    "Gateway".to_owned()
}

#[cfg(test)]
mod tests;
