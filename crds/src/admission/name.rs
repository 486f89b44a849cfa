//! Names and namespaces as an API server takes them.
//!
//! Objects are told apart by `namespace/name` in tables, headers and logs, so neither part may
//! hold a slash or anything else that would need quoting there.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::Violation;

const NAME_MAX: usize = 253;
const NAMESPACE_MAX: usize = 63;

/// One violation for a missing or malformed name, one for a malformed namespace.
#[must_use]
pub fn validate(metadata: &ObjectMeta) -> Vec<Violation> {
    let mut violations = Vec::new();
    let name = metadata.name.as_deref().unwrap_or_default();
    if !is_dns_subdomain(name) {
        violations.push(Violation::new(
            "metadata.name",
            format!(
                "invalid name {name:?}: expected at most {NAME_MAX} lower-case letters, digits, '-' or '.', first and last a letter or digit"
            ),
        ));
    }
    if let Some(namespace) = &metadata.namespace
        && !(namespace.len() <= NAMESPACE_MAX && is_dns_label(namespace))
    {
        violations.push(Violation::new(
            "metadata.namespace",
            format!(
                "invalid namespace {namespace:?}: expected at most {NAMESPACE_MAX} lower-case letters, digits or '-', first and last a letter or digit"
            ),
        ));
    }
    violations
}

pub(super) fn is_dns_subdomain(name: &str) -> bool {
    name.len() <= NAME_MAX && name.split('.').all(is_dns_label)
}

fn is_dns_label(part: &str) -> bool {
    let outer = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    part.starts_with(outer) && part.ends_with(outer) && part.chars().all(|c| outer(c) || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(namespace: &str, name: &str) -> Vec<String> {
        let metadata =
            ObjectMeta { namespace: Some(namespace.to_owned()), name: Some(name.to_owned()), ..ObjectMeta::default() };
        let found = validate(&metadata).into_iter();
        found.map(|violation| violation.field).collect()
    }

    #[test]
    fn names_are_those_an_api_server_takes() {
        let long = "a".repeat(NAME_MAX + 1);
        for name in ["", "A", "a/b", "a b", "-a", "a.", "a_b", &long] {
            assert_eq!(violations("default", name), ["metadata.name"], "{name}");
        }
        for name in ["a", "deepseek-r1-1-5b-v1", "1.a"] {
            assert!(violations("default", name).is_empty(), "{name}");
        }
    }

    #[test]
    fn namespaces_are_those_an_api_server_takes() {
        let long = "a".repeat(NAMESPACE_MAX + 1);
        for namespace in ["", "A", "a/b", "a.b", "a-", &long] {
            assert_eq!(violations(namespace, "a"), ["metadata.namespace"], "{namespace}");
        }
    }
}
