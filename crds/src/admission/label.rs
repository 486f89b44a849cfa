//! Kubernetes' syntax of labels (`metav1validation.ValidateLabels`).

use std::collections::BTreeMap;

use super::{Violation, name::is_dns_subdomain};

const NAME_MAX: usize = 63;

/// One violation for each key or value that no pod could carry.
pub(super) fn validate(field: &str, labels: &BTreeMap<String, String>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (key, value) in labels {
        if !is_key(key) {
            violations.push(Violation::new(
                field,
                format!(
                    "invalid label key {key:?}: expected at most 63 letters, digits, '-', '_' or '.', first and last a letter or digit, after an optional DNS name and '/'"
                ),
            ));
        }
        if !value.is_empty() && !is_name(value) {
            violations.push(Violation::new(
                field,
                format!(
                    "invalid value {value:?} of label {key:?}: expected nothing or at most 63 letters, digits, '-', '_' or '.', first and last a letter or digit"
                ),
            ));
        }
    }
    violations
}

fn is_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_dns_subdomain(prefix) && is_name(name),
        None => is_name(key),
    }
}

fn is_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.len() <= NAME_MAX && starts_and_ends_alphanumeric(name) && name.chars().all(inner)
}

fn starts_and_ends_alphanumeric(text: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_alphanumeric();
    text.starts_with(alphanumeric) && text.ends_with(alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_follow_kubernetes_syntax() {
        let long = "a".repeat(NAME_MAX + 1);
        for (key, value, valid) in [
            ("app", "a", true),
            ("app", "", true),
            ("modelserving.volcano.sh/role", "P-instance_1.5", true),
            ("", "a", false),
            ("-app", "a", false),
            ("app.", "a", false),
            ("a/b/c", "a", false),
            ("Example.com/app", "a", false),
            ("/app", "a", false),
            ("example.com/", "a", false),
            (&long, "a", false),
            ("app", "a b", false),
            ("app", "_a", false),
            ("app", &long, false),
        ] {
            let labels = BTreeMap::from([(key.to_owned(), value.to_owned())]);
            let violations = validate("f", &labels);
            assert_eq!(violations.is_empty(), valid, "{key}={value}: {violations:?}");
        }
    }
}
