//! Which ModelRoutes are refused.

use super::{Violation, at_most};
use crate::{
    ModelRoute,
    model_route::{ModelRouteSpec, RateLimit, Rule, TargetModel},
};

const MAX_LORA_ADAPTERS: usize = 10;
const MAX_RULES: usize = 16;
const MAX_TARGETS: usize = 16;
const MAX_WEIGHT: u32 = 100;

/// Every reason to refuse the route, in the order of its fields; empty when it is fine.
#[must_use]
pub fn validate(route: &ModelRoute) -> Vec<Violation> {
    let spec = &route.spec;
    let mut violations = Vec::new();
    if spec.name().is_none() && spec.lora_adapters.is_empty() {
        violations.push(Violation::new("spec", "modelName and loraAdapters cannot both be empty"));
    }
    at_most(MAX_LORA_ADAPTERS, "spec.loraAdapters", spec.lora_adapters.len(), &mut violations);
    for (index, adapter) in spec.lora_adapters.iter().enumerate() {
        if adapter.is_empty() {
            violations.push(Violation::new(
                format!("spec.loraAdapters[{index}]"),
                "lora adapter name cannot be an empty string",
            ));
        }
    }
    at_most(MAX_RULES, "spec.rules", spec.rules.len(), &mut violations);
    for (index, rule) in spec.rules.iter().enumerate() {
        check_rule(spec, rule, &format!("spec.rules[{index}].targetModels"), &mut violations);
    }
    if let Some(limit) = &spec.rate_limit {
        check_rate_limit(limit, &mut violations);
    }
    violations
}

fn check_rule(spec: &ModelRouteSpec, rule: &Rule, field: &str, violations: &mut Vec<Violation>) {
    let targets = &rule.target_models;
    if targets.is_empty() {
        violations.push(Violation::new(field, "a rule needs at least one target"));
        return;
    }
    at_most(MAX_TARGETS, field, targets.len(), violations);
    for (index, target) in targets.iter().enumerate() {
        check_target(spec, target, &format!("{field}[{index}]"), violations);
    }
    if targets.iter().all(|target| target.weight == 0) {
        violations.push(Violation::new(field, "total weight must be greater than zero"));
    }
}

fn check_target(spec: &ModelRouteSpec, target: &TargetModel, field: &str, violations: &mut Vec<Violation>) {
    let external = target.external_model_provider().is_some();
    if target.model_server().is_some() == external {
        violations
            .push(Violation::new(field, "exactly one of modelServerName or externalModelProviderName must be set"));
    } else if external && !spec.lora_adapters.is_empty() {
        violations.push(Violation::new(field, "lora routes must target modelServerName"));
    }
    if target.weight > MAX_WEIGHT {
        violations.push(Violation::new(
            format!("{field}.weight"),
            format!("must be 0 to {MAX_WEIGHT}, is {}", target.weight),
        ));
    }
}

fn check_rate_limit(limit: &RateLimit, violations: &mut Vec<Violation>) {
    for (name, tokens) in
        [("inputTokensPerUnit", limit.input_tokens_per_unit), ("outputTokensPerUnit", limit.output_tokens_per_unit)]
    {
        if tokens == Some(0) {
            let field = format!("spec.rateLimit.{name}");
            violations.push(Violation::new(field, "must be at least 1, is 0"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(spec: &str) -> Vec<String> {
        let spec = serde_saphyr::from_str(spec).unwrap();
        let found = validate(&ModelRoute::new("x", spec));
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_condition_is_named_with_its_field() {
        let one_of = "exactly one of modelServerName or externalModelProviderName must be set";
        let target = "spec.rules[0].targetModels[0]";
        for (spec, expected) in [
            ("rules: []", "spec: modelName and loraAdapters cannot both be empty".to_owned()),
            ("{modelName: '', rules: []}", "spec: modelName and loraAdapters cannot both be empty".to_owned()),
            (
                "{loraAdapters: [a, ''], rules: []}",
                "spec.loraAdapters[1]: lora adapter name cannot be an empty string".to_owned(),
            ),
            (
                "{loraAdapters: [a,b,c,d,e,f,g,h,i,j,k], rules: []}",
                "spec.loraAdapters: must have at most 10 items, has 11".to_owned(),
            ),
            (
                "{modelName: m, rules: [{targetModels: []}]}",
                "spec.rules[0].targetModels: a rule needs at least one target".to_owned(),
            ),
            ("{modelName: m, rules: [{targetModels: [{weight: 1}]}]}", format!("{target}: {one_of}")),
            (
                "{modelName: m, rules: [{targetModels: [{modelServerName: s, externalModelProviderName: e}]}]}",
                format!("{target}: {one_of}"),
            ),
            (
                "{loraAdapters: [a], rules: [{targetModels: [{externalModelProviderName: e}]}]}",
                format!("{target}: lora routes must target modelServerName"),
            ),
            (
                "{modelName: m, rules: [{targetModels: [{modelServerName: s, weight: 0}]}]}",
                "spec.rules[0].targetModels: total weight must be greater than zero".to_owned(),
            ),
            (
                "{modelName: m, rules: [{targetModels: [{modelServerName: s, weight: 101}]}]}",
                format!("{target}.weight: must be 0 to 100, is 101"),
            ),
            (
                "{modelName: m, rules: [], rateLimit: {outputTokensPerUnit: 0}}",
                "spec.rateLimit.outputTokensPerUnit: must be at least 1, is 0".to_owned(),
            ),
        ] {
            assert_eq!(violations(spec), [expected], "{spec}");
        }
    }

    #[test]
    fn a_list_longer_than_the_schema_allows_is_refused() {
        let target = "{modelServerName: s}";
        let targets = [target; MAX_TARGETS + 1].join(", ");
        let rules = [format!("{{targetModels: [{target}]}}").as_str(); MAX_RULES + 1].join(", ");
        assert_eq!(
            violations(&format!("{{modelName: m, rules: [{rules}]}}")),
            ["spec.rules: must have at most 16 items, has 17"]
        );
        assert_eq!(
            violations(&format!("{{modelName: m, rules: [{{targetModels: [{targets}]}}]}}")),
            ["spec.rules[0].targetModels: must have at most 16 items, has 17"]
        );
    }

    #[test]
    fn all_reasons_are_given_at_once() {
        let spec = "{loraAdapters: [''], rules: [{targetModels: []}, {targetModels: [{}]}]}";
        assert_eq!(violations(spec).len(), 3);
    }

    #[test]
    fn a_sound_route_is_admitted() {
        for spec in [
            "{modelName: m, rules: []}",
            "{loraAdapters: [a], rules: [{targetModels: [{modelServerName: s}]}]}",
            "{modelName: m, rules: [{targetModels: [{modelServerName: s, weight: 0}, {externalModelProviderName: e}]}]}",
        ] {
            assert!(violations(spec).is_empty(), "{spec}");
        }
    }
}
