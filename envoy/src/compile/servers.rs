//! ModelServers as the table lists them: those that exist, and those that routes only name.

use super::profiles::PROFILE;
use super::{Profiles, key, transport};
use crate::data_plane::PickerPool;
use kthena_core::routing::{BackoffClass, Server, ServerState};
use kthena_core::scheduling::MAX_PICKS;
use kthena_crds::{ModelServer, ObjectRef, Problem, Resources, Secret};
use std::collections::BTreeMap;
use std::time::Duration;

/// The most retries, and how many there are where `trafficPolicy.retry` is absent: as far as the picker's
/// list goes after the first try.
const MOST_RETRIES: u32 = (MAX_PICKS - 1) as u32;

/// The annotation that says what happens without a pick.
const FAILURE_MODE: &str = "networking.serving.volcano.sh/picker-failure-mode";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FailureMode {
    Open,
    Close,
}

/// The table's servers, in the order in which routes name them.
pub(super) struct Servers<'a> {
    known: BTreeMap<String, &'a ModelServer>,
    secrets: &'a [Secret],
    profiles: &'a Profiles,
    pools: &'a BTreeMap<String, PickerPool>,
    listed: Vec<Server>,
    indexes: BTreeMap<String, u32>,
}

impl<'a> Servers<'a> {
    pub(super) fn new(
        resources: &'a Resources,
        profiles: &'a Profiles,
        pools: &'a BTreeMap<String, PickerPool>,
    ) -> Self {
        let known = resources.model_servers.iter().map(|server| (key(server), server)).collect();
        let secrets = resources.secrets.as_slice();
        Self { known, secrets, profiles, pools, listed: Vec::new(), indexes: BTreeMap::new() }
    }

    /// The table's index of a ModelServer (`namespace/name`), and whether it exists.
    pub(super) fn index(&mut self, name: &str) -> (u32, bool) {
        let index = self.indexes.get(name).copied().unwrap_or_else(|| {
            // A table of 2^32 servers does not fit in memory.
            let index = self.listed.len() as u32;
            self.listed.push(self.describe(name));
            self.indexes.insert(name.to_owned(), index);
            index
        });
        (index, self.known.contains_key(name))
    }

    pub(super) fn into_table(self) -> Vec<Server> {
        self.listed
    }

    fn describe(&self, name: &str) -> Server {
        let Some(server) = self.known.get(name) else {
            return Server {
                name: name.to_owned(),
                state: ServerState::Missing,
                model: None,
                header_timeout_ms: 0,
                retries: 0,
                backoff: BackoffClass::Ms25,
                fail_close: false,
                prefix: None,
            };
        };
        let has_endpoints = self.pools.get(name).is_some_and(|pool| !pool.endpoints.is_empty());
        let policy = server.spec.traffic_policy.as_ref();
        let retry = policy.and_then(|policy| policy.retry.as_ref());
        let interval = retry.map_or(BackoffClass::Ms25.interval(), |retry| retry.retry_interval.as_std());
        let timeout = policy.and_then(|policy| policy.timeout).map_or(Duration::ZERO, |timeout| timeout.as_std());
        Server {
            name: name.to_owned(),
            state: if has_endpoints { ServerState::Serving } else { ServerState::Empty },
            model: server.spec.model().map(str::to_owned),
            header_timeout_ms: millis(timeout),
            retries: retry.and_then(|retry| retry.attempts()).unwrap_or(MOST_RETRIES).min(MOST_RETRIES),
            backoff: BackoffClass::at_least(interval).unwrap_or(BackoffClass::Ms5000),
            fail_close: fails_closed(server),
            prefix: self.profiles.of(server).blocks,
        }
    }

    /// What of each ModelServer is served otherwise than written.
    pub(super) fn problems(&self, problems: &mut Vec<Problem>) {
        for (name, server) in &self.known {
            let object = ObjectRef::of(*server);
            let mut say = |field: &str, message: &str| problems.push(Problem::new(object.clone(), message).at(field));
            // Where they must not be spoken to, that is the reason.
            let may_be_served = transport::compile(server, self.secrets, &mut Vec::new()).is_some();
            if may_be_served && self.pools.get(name).is_none_or(|pool| pool.endpoints.is_empty()) {
                say("spec.workloadSelector", "no ready Pod matches");
            }
            if let Err(problem) = failure_mode(server) {
                say(&format!("metadata.annotations[{FAILURE_MODE}]"), &problem);
            }
            if let Err(problem) = self.profiles.named_by(server) {
                say(&format!("metadata.annotations[{PROFILE}]"), &problem);
            }
            unbuilt(server, &mut say);
        }
    }
}

/// Whether a ModelServer refuses what the picker named no endpoint for.
pub(super) fn fails_closed(server: &ModelServer) -> bool {
    failure_mode(server) == Ok(FailureMode::Close)
}

/// What a ModelServer does with a request that the picker named no endpoint for: serves it from any of its
/// own, unless it says otherwise. The words are those of Gateway API Inference Extension's `failureMode`.
///
/// # Errors
/// The value that it says and the values that there are.
fn failure_mode(server: &ModelServer) -> Result<FailureMode, String> {
    let annotations = server.metadata.annotations.as_ref();
    match annotations.and_then(|annotations| annotations.get(FAILURE_MODE)).map(String::as_str) {
        None | Some("FailOpen") => Ok(FailureMode::Open),
        Some("FailClose") => Ok(FailureMode::Close),
        Some(other) => Err(format!("`{other}` is neither FailOpen nor FailClose, served as FailOpen")),
    }
}

fn unbuilt(server: &ModelServer, say: &mut impl FnMut(&str, &str)) {
    let spec = &server.spec;
    if spec.workload_selector.pd_group.is_some() {
        let message = "prefill/decode disaggregation is not available in this version, every Pod serves whole requests";
        say("spec.workloadSelector.pdGroup", message);
    }
    if spec.kv_connector.is_some() {
        say("spec.kvConnector", "KV connectors are not available in this version, served without");
    }
    let retry = spec.traffic_policy.as_ref().and_then(|policy| policy.retry.as_ref());
    if retry.and_then(|retry| retry.attempts()).is_some_and(|attempts| attempts > MOST_RETRIES) {
        say("spec.trafficPolicy.retry.attempts", "more than 4, which is as many retries as are made");
    }
    if retry.is_some_and(|retry| BackoffClass::at_least(retry.retry_interval.as_std()).is_none()) {
        say("spec.trafficPolicy.retry.retryInterval", "longer than 5s, retried after 5s");
    }
}

/// Whole milliseconds, rounded up so that a limit never becomes none.
fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u32::MAX)
}
