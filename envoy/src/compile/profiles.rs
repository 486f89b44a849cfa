//! Which scheduling profile a ModelServer names, as far as the data plane is concerned: how prompts are hashed.

use kthena_core::prefix::Blocks;
use kthena_crds::ModelServer;
use std::collections::BTreeMap;

/// The annotation that names a profile.
pub(super) const PROFILE: &str = "networking.serving.volcano.sh/scheduler-profile";

/// How each scheduling profile has prompts hashed; `None` where none of its plugins asks for the hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profiles {
    /// The profile of ModelServers that name none.
    pub default: Option<Blocks>,
    /// The others, by the names that ModelServers call them by.
    pub named: BTreeMap<String, Option<Blocks>>,
}

/// The profile of one ModelServer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chosen<'a> {
    /// `None` for the default.
    pub(super) name: Option<&'a str>,
    pub(super) blocks: Option<Blocks>,
}

// === impl Profiles ===

impl Profiles {
    /// The profile that serves a ModelServer: the default where it names none, or one that is not there.
    pub(super) fn of<'a>(&self, server: &'a ModelServer) -> Chosen<'a> {
        self.named_by(server).unwrap_or(Chosen { name: None, blocks: self.default })
    }

    /// The profile that a ModelServer names.
    ///
    /// # Errors
    /// The name that it says and the names that there are.
    pub(super) fn named_by<'a>(&self, server: &'a ModelServer) -> Result<Chosen<'a>, String> {
        let annotations = server.metadata.annotations.as_ref();
        let Some(name) = annotations.and_then(|annotations| annotations.get(PROFILE)) else {
            return Ok(Chosen { name: None, blocks: self.default });
        };
        match self.named.get(name) {
            Some(blocks) => Ok(Chosen { name: Some(name), blocks: *blocks }),
            None => Err(format!("no profile `{name}`, {}; served by the default one", self.names())),
        }
    }

    fn names(&self) -> String {
        let names: Vec<_> = self.named.keys().map(|name| format!("`{name}`")).collect();
        match names.is_empty() {
            true => "the router's configuration names none".to_owned(),
            false => format!("expected one of {}", names.join(", ")),
        }
    }
}

/// One profile, with upstream's blocks.
impl Default for Profiles {
    fn default() -> Self {
        Self { default: Some(Blocks::default()), named: BTreeMap::new() }
    }
}
