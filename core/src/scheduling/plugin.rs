//! The plugins by the names that the configuration file uses.

use super::{LeastRequest, RandomScore, Scorer};

/// A plugin that this version has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plugin {
    /// [`LeastRequest`] and [`super::MaxWaiting`]
    LeastRequest,
    /// [`RandomScore`]
    Random,
}

impl Plugin {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::LeastRequest, Self::Random];

    /// Its name in the configuration file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LeastRequest => "least-request",
            Self::Random => "random",
        }
    }

    /// The plugin of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|plugin| plugin.name() == name)
    }

    /// Its scoring half.
    pub fn scorer(self) -> Box<dyn Scorer> {
        match self {
            Self::LeastRequest => Box::new(LeastRequest),
            Self::Random => Box::new(RandomScore),
        }
    }
}
