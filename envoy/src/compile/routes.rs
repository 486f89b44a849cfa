//! ModelRoutes as the table lists them: oldest first.

use super::key;
use super::servers::Servers;
use kthena_core::routing::{Pattern, Regex, Rule, RuleMatch, Target, TargetRoute};
use kthena_crds::model_route::{self, ModelMatch, StringMatch};
use kthena_crds::{ModelRoute, ObjectRef, Problem, Resources};

pub(super) fn compile(
    resources: &Resources,
    servers: &mut Servers<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<TargetRoute> {
    let mut routes: Vec<&ModelRoute> = resources.model_routes.iter().collect();
    // Without a creation time (a directory's objects) namespace and name decide.
    routes.sort_by_cached_key(|route| {
        let created = route.metadata.creation_timestamp.as_ref().map(|time| time.0);
        (created.is_none(), created, key(*route))
    });
    routes
        .into_iter()
        .filter_map(|route| Compiler { route, servers: &mut *servers, problems: &mut *problems }.route())
        .collect()
}

struct Compiler<'a, 'r> {
    route: &'a ModelRoute,
    servers: &'a mut Servers<'r>,
    problems: &'a mut Vec<Problem>,
}

impl Compiler<'_, '_> {
    fn route(mut self) -> Option<TargetRoute> {
        let spec = &self.route.spec;
        if !spec.parent_refs.is_empty() {
            self.say("spec.parentRefs", "Gateways are not available in this version, the route is not served");
            return None;
        }
        if spec.rate_limit.is_some() {
            self.say("spec.rateLimit", "rate limits are not available in this version, served without");
        }
        let rules = spec.rules.iter().enumerate().map(|(index, rule)| self.rule(index, rule)).collect();
        Some(TargetRoute {
            name: key(self.route),
            model: spec.name().map(str::to_owned),
            adapters: spec.lora_adapters.clone(),
            rules,
        })
    }

    fn rule(&mut self, index: usize, rule: &model_route::Rule) -> Rule {
        let matches = rule.model_match.as_ref().map(|when| self.rule_match(index, when)).unwrap_or_default();
        let targets: Vec<Target> =
            rule.target_models.iter().enumerate().filter_map(|(at, target)| self.target(index, at, target)).collect();
        // A split with providers is served by its ModelServers; with providers only, the refusal names one.
        let served = targets.iter().any(|target| matches!(target, Target::Server { weight: 1.., .. }));
        let targets = targets.into_iter().filter(|target| !served || matches!(target, Target::Server { .. })).collect();
        Rule { matches, targets }
    }

    fn target(&mut self, rule: usize, at: usize, target: &model_route::TargetModel) -> Option<Target> {
        let field = format!("spec.rules[{rule}].targetModels[{at}]");
        let namespace = ObjectRef::of(self.route).namespace;
        if let Some(name) = target.model_server() {
            let name = format!("{namespace}/{name}");
            let (index, exists) = self.servers.index(&name);
            if !exists {
                self.say(format!("{field}.modelServerName"), format!("no ModelServer {name}"));
            }
            return Some(Target::Server { index, weight: target.weight });
        }
        let name = format!("{namespace}/{}", target.external_model_provider()?);
        let message = "external model providers are not available in this version, served without";
        self.say(format!("{field}.externalModelProviderName"), message);
        Some(Target::Provider { name, weight: target.weight })
    }

    fn rule_match(&mut self, rule: usize, when: &ModelMatch) -> RuleMatch {
        let field = format!("spec.rules[{rule}].modelMatch");
        RuleMatch {
            headers: (when.headers.iter())
                .map(|(name, how)| (name.to_ascii_lowercase(), self.pattern(format!("{field}.headers[{name}]"), how)))
                .collect(),
            uri: when.uri.as_ref().map(|how| self.pattern(format!("{field}.uri"), how)),
            model: when.body.as_ref().and_then(|body| body.model.clone()).filter(|model| !model.is_empty()),
        }
    }

    /// Exact before prefix before regex, as upstream evaluates them.
    fn pattern(&mut self, field: String, how: &StringMatch) -> Pattern {
        match (&how.exact, &how.prefix, &how.regex) {
            (Some(exact), ..) => Pattern::Exact(exact.clone()),
            (None, Some(prefix), _) => Pattern::Prefix(prefix.clone()),
            (None, None, Some(regex)) => {
                if let Err(error) = Regex::check(regex) {
                    self.say(format!("{field}.regex"), format!("`{regex}` matches nothing: {error}"));
                }
                Pattern::Regex(Regex::new(regex.clone()))
            }
            (None, None, None) => Pattern::Any,
        }
    }

    fn say(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem::new(ObjectRef::of(self.route), message).at(field));
    }
}
