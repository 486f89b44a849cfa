//! How long to wait for a ModelServer's pods and how often to retry.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Duration;

/// Waiting and retrying.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrafficPolicy {
    /// Longest wait of each try for the answer's headers. It never bounds a streamed body. Absent:
    /// no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,

    /// Absent: the data plane's own policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
}

/// How often a failed try is repeated.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retry {
    /// Retries after the first try; 0 for none. An API server takes negative numbers too, so read
    /// it by [`Retry::attempts`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<i32>,

    /// The pause between tries.
    #[serde(default = "default_retry_interval")]
    pub retry_interval: Duration,
}

impl Retry {
    /// Retries after the first try; a negative number counts as 0. `None` when not given.
    #[must_use]
    pub fn attempts(&self) -> Option<u32> {
        self.attempts.map(|given| u32::try_from(given).unwrap_or(0))
    }
}

const fn default_retry_interval() -> Duration {
    Duration::from_millis(100)
}
