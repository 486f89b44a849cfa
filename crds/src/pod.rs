//! What the data plane asks of a Pod: may it serve, where is it, whose is it.

use std::{collections::BTreeMap, net::IpAddr};

use crate::Pod;

/// Whether requests may go to the pod: phase `Running`, condition `Ready` true, not terminating.
///
/// People who write Pods into a directory give `status.podIP` and nothing else. A status that has
/// neither a phase nor conditions therefore counts as ready; on a cluster no pod is without a
/// phase.
#[must_use]
pub fn ready(pod: &Pod) -> bool {
    if pod.metadata.deletion_timestamp.is_some() {
        return false;
    }
    let Some(status) = &pod.status else {
        return true;
    };
    let conditions = status.conditions.as_deref().unwrap_or_default();
    if status.phase.is_none() && conditions.is_empty() {
        return true;
    }
    status.phase.as_deref() == Some("Running")
        && conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// The pod's address: `status.podIP`. `None` before one is assigned, or when it is no IP address.
#[must_use]
pub fn pod_ip(pod: &Pod) -> Option<IpAddr> {
    pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()
}

/// Whether the pod carries every label of `selector`.
///
/// An empty selector matches nothing: a ModelServer that names no label must not take every pod of
/// its namespace.
#[must_use]
pub fn matches(selector: &BTreeMap<String, String>, pod: &Pod) -> bool {
    let Some(labels) = &pod.metadata.labels else {
        return false;
    };
    !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(yaml: &str) -> Pod {
        serde_saphyr::from_str(yaml).unwrap()
    }

    #[test]
    fn a_pod_is_ready_when_running_ready_and_not_terminating() {
        let ready_condition = "conditions: [{type: Ready, status: 'True'}]";
        for (yaml, expected) in [
            (format!("status: {{phase: Running, {ready_condition}}}"), true),
            (format!("status: {{phase: Pending, {ready_condition}}}"), false),
            ("status: {phase: Running}".to_owned(), false),
            ("status: {phase: Running, conditions: [{type: Ready, status: 'False'}]}".to_owned(), false),
            (format!("status: {{{ready_condition}}}"), false),
            (
                format!(
                    "metadata: {{deletionTimestamp: '2026-01-01T00:00:00Z'}}\nstatus: {{phase: Running, {ready_condition}}}"
                ),
                false,
            ),
        ] {
            assert_eq!(ready(&pod(&yaml)), expected, "{yaml}");
        }
    }

    #[test]
    fn a_pod_with_only_an_address_is_ready() {
        assert!(ready(&pod("status: {podIP: 127.0.0.2}")));
    }

    #[test]
    fn the_address_is_the_status_s_or_none() {
        let address = pod_ip(&pod("status: {podIP: 127.0.0.2}"));
        assert_eq!(address, Some(IpAddr::from([127, 0, 0, 2])));
        assert_eq!(pod_ip(&pod("status: {podIP: somewhere}")), None);
        assert_eq!(pod_ip(&pod("metadata: {name: x}")), None);
    }

    #[test]
    fn a_selector_needs_all_its_labels_and_an_empty_one_matches_nothing() {
        let pod = pod("metadata: {labels: {app: a, version: v1}}");
        for (selector, expected) in [
            (vec![("app", "a")], true),
            (vec![("app", "a"), ("version", "v1")], true),
            (vec![("app", "a"), ("version", "v2")], false),
            (vec![("tier", "x")], false),
            (vec![], false),
        ] {
            let selector = selector.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            assert_eq!(matches(&selector, &pod), expected, "{selector:?}");
        }
    }
}
