//! The policies that run, by name.

use crate::policy::{Homes, Ours, Policy, Random, RoundRobin, Score, Several, Upstream};

/// A policy that may be made anew for each run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contender {
    /// As tables and pictures have it.
    pub name: &'static str,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Random,
    RoundRobin,
    /// System prompts of so many tokens.
    Homes(u32),
    Upstream {
        scores: &'static [Score],
        filtered: bool,
    },
    /// Plugins that filter, and plugins that score with their weights; so many routers side by side.
    Ours {
        filters: &'static [&'static str],
        scores: &'static [(&'static str, u32)],
        routers: usize,
    },
}

/// What serves without a configuration file.
const DEFAULT: &[(&str, u32)] = &[];
const ADAPTERS: &[(&str, u32)] = &[("lora-affinity", 1), ("least-request", 1)];

// === impl Contender ===

impl Contender {
    const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind }
    }

    const fn upstream(name: &'static str, scores: &'static [Score]) -> Self {
        Self::new(name, Kind::Upstream { scores, filtered: false })
    }

    const fn ours(name: &'static str, scores: &'static [(&'static str, u32)]) -> Self {
        Self::new(name, Kind::Ours { filters: &[], scores, routers: 1 })
    }

    /// The one that all are measured by.
    pub const RANDOM: Self = Self::new("random", Kind::Random);

    /// Upstream's least-latency alone, which herds.
    pub const UPSTREAM_LATENCY: Self = Self::upstream("upstream: least-latency", &[Score::LeastLatency]);

    /// Our default profile.
    pub const OUR_DEFAULT: Self =
        Self::new("ours: default profile", Kind::Ours { filters: &[], scores: DEFAULT, routers: 1 });

    /// What runs on the published sets, whose groups share `system` tokens: what was published, too.
    pub fn published(system: u32) -> Vec<Self> {
        let mut all = vec![
            Self::new("(yardstick: a home for each group)", Kind::Homes(system)),
            Self::upstream("upstream then: least-request", &[Score::LeastRequestThen]),
            Self::upstream(
                "upstream then: least-request + prefix-cache",
                &[Score::LeastRequestThen, Score::PrefixCache],
            ),
            Self::upstream("upstream: gpu-usage", &[Score::GpuUsage]),
        ];
        let mut others = Self::all();
        // Beside the first two, which look at nothing.
        let rest = others.split_off(2);
        others.append(&mut all);
        others.extend(rest);
        others
    }

    /// What runs everywhere else.
    pub fn all() -> Vec<Self> {
        vec![
            Self::RANDOM,
            Self::new("round-robin", Kind::RoundRobin),
            Self::UPSTREAM_LATENCY,
            Self::upstream("upstream: least-request", &[Score::LeastRequest]),
            Self::upstream("upstream: least-request + prefix-cache", &[Score::LeastRequest, Score::PrefixCache]),
            Self::new(
                "upstream: Helm's default",
                Kind::Upstream {
                    scores: &[Score::LeastRequest, Score::GpuUsage, Score::LeastLatency, Score::PrefixCache],
                    filtered: true,
                },
            ),
            Self::ours("ours: least-request", &[("least-request", 1)]),
            Self::ours("ours: least-request + prefix-cache", &[("least-request", 1), ("prefix-cache", 1)]),
            Self::OUR_DEFAULT,
            Self::new("ours: default profile, 2 routers", Kind::Ours { filters: &[], scores: DEFAULT, routers: 2 }),
            Self::new("ours: default profile, 4 routers", Kind::Ours { filters: &[], scores: DEFAULT, routers: 4 }),
        ]
    }

    /// Those that a set of adapters is for.
    pub fn for_adapters() -> Vec<Self> {
        vec![
            Self::RANDOM,
            Self::upstream("upstream: least-request", &[Score::LeastRequest]),
            Self::ours("ours: least-request", &[("least-request", 1)]),
            Self::OUR_DEFAULT,
            Self::ours("ours: lora-affinity", &[("lora-affinity", 1)]),
            Self::ours("ours: lora-affinity + least-request", ADAPTERS),
            Self::new(
                "ours: lora-affinity + least-request, 2 routers",
                Kind::Ours { filters: &[], scores: ADAPTERS, routers: 2 },
            ),
        ]
    }

    /// The policy, knowing nothing yet, for so many engines that list these adapters.
    ///
    /// # Errors
    ///
    /// A plugin that this version does not have.
    pub fn policy(&self, engines: usize, adapters: &[String]) -> anyhow::Result<Box<dyn Policy>> {
        Ok(match self.kind {
            Kind::Random => Box::new(Random(engines)),
            Kind::RoundRobin => Box::new(RoundRobin::new(engines)),
            Kind::Homes(system) => Box::new(Homes::new(engines, system)),
            Kind::Upstream { scores, filtered } => Box::new(Upstream::new(engines, scores, filtered)),
            Kind::Ours { filters, scores, routers } => {
                let configuration = configuration(filters, scores);
                let one = || -> anyhow::Result<Box<dyn Policy>> {
                    Ok(Box::new(Ours::new(engines, &configuration, adapters)?))
                };
                if routers == 1 {
                    return one();
                }
                Box::new(Several::new((0..routers).map(|_| one()).collect::<anyhow::Result<_>>()?))
            }
        })
    }
}

/// A router configuration, as a user would write it.
fn configuration(filters: &[&str], scores: &[(&str, u32)]) -> String {
    if scores.is_empty() {
        return "{}".to_owned();
    }
    let scores: Vec<_> =
        scores.iter().map(|(name, weight)| serde_json::json!({ "name": name, "weight": weight })).collect();
    let plugins = serde_json::json!({ "Filter": { "enabled": filters }, "Score": { "enabled": scores } });
    serde_json::json!({ "scheduler": { "plugins": plugins } }).to_string()
}
