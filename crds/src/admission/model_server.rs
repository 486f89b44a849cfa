//! Which ModelServers are refused.

use std::collections::BTreeMap;

use super::{Violation, label};
use crate::{ModelServer, model_server::PdGroup};

const MAX_MODEL_LEN: usize = 256;

/// Every reason to refuse the server, in the order of its fields; empty when it is fine.
#[must_use]
pub fn validate(server: &ModelServer) -> Vec<Violation> {
    let spec = &server.spec;
    let mut violations = Vec::new();
    let model_len = spec.model().map_or(0, |model| model.chars().count());
    if model_len > MAX_MODEL_LEN {
        violations.push(Violation::new(
            "spec.model",
            format!("must have at most {MAX_MODEL_LEN} characters, has {model_len}"),
        ));
    }
    let selector = &spec.workload_selector;
    check_labels("spec.workloadSelector.matchLabels", &selector.match_labels, &mut violations);
    if let Some(group) = &selector.pd_group {
        check_pd_group(group, &mut violations);
    }
    violations
}

fn check_pd_group(group: &PdGroup, violations: &mut Vec<Violation>) {
    let field = "spec.workloadSelector.pdGroup";
    if group.group_key.is_empty() {
        violations.push(Violation::new(
            format!("{field}.groupKey"),
            "cannot be empty: name the label that a prefill and decode pair has in common",
        ));
    }
    check_labels(&format!("{field}.prefillLabels"), &group.prefill_labels, violations);
    check_labels(&format!("{field}.decodeLabels"), &group.decode_labels, violations);
}

fn check_labels(field: &str, labels: &BTreeMap<String, String>, violations: &mut Vec<Violation>) {
    if labels.is_empty() {
        violations.push(Violation::new(field, "cannot be empty: name at least one label"));
    }
    violations.extend(label::validate(field, labels));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(selector: &str) -> Vec<String> {
        let spec = format!("{{inferenceEngine: vLLM, workloadPort: {{port: 8000}}, workloadSelector: {selector}}}");
        let spec = serde_saphyr::from_str(&spec).unwrap();
        let found = validate(&ModelServer::new("x", spec));
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_condition_is_named_with_its_field() {
        let selector = "spec.workloadSelector";
        for (given, expected) in [
            ("{}", "matchLabels: cannot be empty"),
            ("{matchLabels: {'-a': b}}", "matchLabels: invalid label key \"-a\""),
            ("{matchLabels: {a: b c}}", "matchLabels: invalid value \"b c\" of label \"a\""),
            (
                "{matchLabels: {a: b}, pdGroup: {groupKey: '', prefillLabels: {r: p}, decodeLabels: {r: d}}}",
                "pdGroup.groupKey: cannot be empty",
            ),
            (
                "{matchLabels: {a: b}, pdGroup: {groupKey: g, prefillLabels: {}, decodeLabels: {r: d}}}",
                "pdGroup.prefillLabels: cannot be empty",
            ),
            (
                "{matchLabels: {a: b}, pdGroup: {groupKey: g, prefillLabels: {r: p}, decodeLabels: {}}}",
                "pdGroup.decodeLabels: cannot be empty",
            ),
            (
                "{matchLabels: {a: b}, pdGroup: {groupKey: g, prefillLabels: {r: p}, decodeLabels: {r: '-'}}}",
                "pdGroup.decodeLabels: invalid value \"-\" of label \"r\"",
            ),
        ] {
            let found = violations(given);
            assert_eq!(found.len(), 1, "{given}: {found:?}");
            let expected = format!("{selector}.{expected}");
            assert!(found[0].starts_with(&expected), "{given}: {found:?}");
        }
    }

    #[test]
    fn a_model_name_longer_than_the_schema_allows_is_refused() {
        let spec = format!(
            "{{model: {}, inferenceEngine: vLLM, workloadPort: {{port: 1}}, workloadSelector: {{matchLabels: {{a: b}}}}}}",
            "m".repeat(MAX_MODEL_LEN + 1)
        );
        let spec = serde_saphyr::from_str(&spec).unwrap();
        let found = validate(&ModelServer::new("x", spec));
        assert_eq!(found[0].to_string(), "spec.model: must have at most 256 characters, has 257");
    }

    #[test]
    fn a_sound_server_is_admitted() {
        for selector in [
            "{matchLabels: {app: a}}",
            "{matchLabels: {app: a}, pdGroup: {groupKey: x/g, prefillLabels: {r: p}, decodeLabels: {r: d}}}",
        ] {
            assert!(violations(selector).is_empty(), "{selector}");
        }
    }
}
