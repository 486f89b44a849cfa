//! The plugins by the names that the configuration file uses.

use super::{
    DEFAULT_MAX_WAITING, Filter, GpuUsage, LeastLatency, LeastRequest, LoraAffinity, MaxWaiting, PrefixArguments,
    PrefixCache, RandomScore, Scorer, ServesModel,
};

/// A plugin that this version has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plugin {
    /// [`LeastRequest`] and [`MaxWaiting`]
    LeastRequest,
    /// [`LoraAffinity`] and [`ServesModel`]
    LoraAffinity,
    /// [`GpuUsage`]
    GpuUsage,
    /// [`LeastLatency`]
    LeastLatency,
    /// [`PrefixCache`]
    PrefixCache,
    /// [`RandomScore`]
    Random,
}

/// What plugins can be told, checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arguments {
    /// How many requests may wait in an engine before [`MaxWaiting`] drops it.
    pub max_waiting: u32,
    /// What TTFT counts for beside TPOT in [`LeastLatency`], in [0, 1].
    pub alpha: f64,
    /// Of [`PrefixCache`].
    pub prefix: PrefixArguments,
}

// === impl Plugin ===

impl Plugin {
    /// All of them; each ranks.
    pub const ALL: [Self; 6] =
        [Self::LeastRequest, Self::LoraAffinity, Self::GpuUsage, Self::LeastLatency, Self::PrefixCache, Self::Random];

    /// Those that can drop endpoints.
    pub const FILTERS: [Self; 2] = [Self::LeastRequest, Self::LoraAffinity];

    /// Its name in the configuration file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LeastRequest => "least-request",
            Self::LoraAffinity => "lora-affinity",
            Self::GpuUsage => "gpu-usage",
            Self::LeastLatency => "least-latency",
            Self::PrefixCache => "prefix-cache",
            Self::Random => "random",
        }
    }

    /// The plugin of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|plugin| plugin.name() == name)
    }

    /// Its filtering half, for those that have one.
    pub fn filter(self, arguments: &Arguments) -> Option<Box<dyn Filter>> {
        match self {
            Self::LeastRequest => Some(Box::new(MaxWaiting(arguments.max_waiting))),
            Self::LoraAffinity => Some(Box::new(ServesModel)),
            Self::GpuUsage | Self::LeastLatency | Self::PrefixCache | Self::Random => None,
        }
    }

    /// Its scoring half.
    pub fn scorer(self, arguments: &Arguments) -> Box<dyn Scorer> {
        match self {
            Self::LeastRequest => Box::new(LeastRequest),
            Self::LoraAffinity => Box::new(LoraAffinity),
            Self::GpuUsage => Box::new(GpuUsage),
            Self::LeastLatency => Box::new(LeastLatency { alpha: arguments.alpha }),
            Self::PrefixCache => Box::new(PrefixCache(arguments.prefix)),
            Self::Random => Box::new(RandomScore),
        }
    }
}

// === impl Arguments ===

impl Default for Arguments {
    fn default() -> Self {
        Self { max_waiting: DEFAULT_MAX_WAITING, alpha: 0.5, prefix: PrefixArguments::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_plugin_calls_itself_what_the_configuration_file_calls_it() {
        let arguments = Arguments::default();
        for plugin in Plugin::ALL {
            assert_eq!(Plugin::from_name(plugin.name()), Some(plugin));
            assert_eq!(plugin.scorer(&arguments).name(), plugin.name());
            let filter = plugin.filter(&arguments);
            assert_eq!(filter.is_some(), Plugin::FILTERS.contains(&plugin));
            assert!(filter.is_none_or(|filter| filter.name() == plugin.name()));
        }
    }
}
