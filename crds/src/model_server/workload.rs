//! Which pods a ModelServer means, and their port.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

/// The pods of a ModelServer.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadSelector {
    /// Labels every pod carries. Admission wants at least one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,

    /// How prefill and decode pods are told apart. Absent: every pod does both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pd_group: Option<PdGroup>,
}

/// Prefill and decode pods, and which of them belong together.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PdGroup {
    /// The label whose value a pair has in common.
    pub group_key: String,

    /// Labels of prefill pods.
    pub prefill_labels: BTreeMap<String, String>,

    /// Labels of decode pods.
    pub decode_labels: BTreeMap<String, String>,
}

/// Where a pod's engine listens.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadPort {
    /// 1 to 65535.
    #[serde(deserialize_with = "port")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,

    /// What it speaks.
    #[serde(default)]
    pub protocol: Protocol,
}

/// What an engine speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Plain HTTP.
    #[default]
    Http,
    /// HTTP over TLS.
    Https,
}

/// Refuses what is no port in words that name the range.
fn port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let given = i64::deserialize(deserializer)?;
    u16::try_from(given)
        .ok()
        .filter(|port| *port != 0)
        .ok_or_else(|| de::Error::custom(format!("invalid port {given}: expected 1 to 65535")))
}
