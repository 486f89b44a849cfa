//! `scheduler`: which plugins run, with what arguments.

use super::{ConfigError, arguments};
use crate::scheduling::{Plugin, Profile};
use serde::Deserialize;

/// Upstream's plugin that is not built yet.
const LATER: &str = "kvcache-aware";

/// `scheduler`, and each of `dataPlane.schedulerProfiles`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Scheduler {
    /// Arguments by plugin name.
    pub plugin_config: Vec<PluginConfig>,
    /// Which plugins run.
    pub plugins: Plugins,
}

/// An entry of `scheduler.pluginConfig`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginConfig {
    /// The plugin's name.
    pub name: String,
    /// Its arguments; names are compared without regard to case.
    #[serde(default)]
    pub args: serde_json::Map<String, serde_json::Value>,
}

/// `scheduler.plugins`; the two keys are capitalised, as upstream has them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Plugins {
    /// Plugins that drop endpoints.
    #[serde(rename = "Filter")]
    pub filter: Filters,
    /// Plugins that rank endpoints.
    #[serde(rename = "Score")]
    pub score: Scores,
}

/// `scheduler.plugins.Filter`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filters {
    /// In the order they run.
    pub enabled: Vec<String>,
    /// Read for compatibility; it has no effect.
    pub disabled: Vec<String>,
}

/// `scheduler.plugins.Score`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scores {
    /// With their weights.
    pub enabled: Vec<ScoreEntry>,
    /// Read for compatibility; it has no effect.
    pub disabled: Vec<serde_json::Value>,
}

/// A scorer and what it counts for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreEntry {
    /// The plugin's name.
    pub name: String,
    /// Its factor; absent it counts nothing, as upstream has it.
    #[serde(default)]
    pub weight: u32,
}

// === impl Scheduler ===

impl Scheduler {
    /// The profile that is written at `field`.
    pub(super) fn compile(&self, field: &str, problems: &mut Vec<String>) -> Result<Profile, ConfigError> {
        let at = format!("{field}.pluginConfig");
        for config in &self.plugin_config {
            known(&at, &config.name)?;
        }
        let arguments = arguments::read(&at, &self.plugin_config)?;

        let at = format!("{field}.plugins.Filter.enabled");
        let mut filters = Vec::new();
        for (place, name) in self.plugins.filter.enabled.iter().enumerate() {
            let plugin = known(&at, name)?;
            once(&at, name, self.plugins.filter.enabled.iter().take(place))?;
            let filter = plugin.and_then(|plugin| plugin.filter(&arguments));
            filters.push(filter.ok_or_else(|| ConfigError::NoFilter { field: at.clone(), name: name.clone() })?);
        }

        let at = format!("{field}.plugins.Score.enabled");
        let mut ranking = Vec::new();
        for (place, ScoreEntry { name, weight }) in self.plugins.score.enabled.iter().enumerate() {
            let plugin = known(&at, name)?;
            once(&at, name, self.plugins.score.enabled.iter().take(place).map(|entry| &entry.name))?;
            match plugin {
                Some(plugin) => ranking.push((plugin, f64::from(*weight))),
                None => problems.push(format!("{at}: `{name}` does not score in this version")),
            }
        }
        if ranking.len() > 1 && ranking.iter().any(|(plugin, _)| *plugin == Plugin::Random) {
            ranking.retain(|(plugin, _)| *plugin != Plugin::Random);
            problems.push(format!("{at}: `random` counts only where it is alone, and is left out here"));
        }
        if !ranking.is_empty() && ranking.iter().all(|(_, weight)| *weight == 0.0) {
            problems.push(format!("{at}: no plugin has a `weight` above 0, so that all endpoints tie"));
        }
        Ok(Profile::new(filters, ranking.into_iter().map(|(plugin, w)| (plugin.scorer(&arguments), w)).collect()))
    }
}

/// The plugin of a name; `None` for the one that is not built yet.
fn known(field: &str, name: &str) -> Result<Option<Plugin>, ConfigError> {
    match Plugin::from_name(name) {
        None if name != LATER => Err(ConfigError::UnknownPlugin { field: field.to_owned(), name: name.to_owned() }),
        plugin => Ok(plugin),
    }
}

fn once<'a>(field: &str, name: &str, mut before: impl Iterator<Item = &'a String>) -> Result<(), ConfigError> {
    match before.any(|other| other == name) {
        true => Err(ConfigError::Twice { field: field.to_owned(), name: name.to_owned() }),
        false => Ok(()),
    }
}

/// All names that a configuration may have, for errors.
pub(super) fn names() -> String {
    let names: Vec<_> = Plugin::ALL.iter().map(|plugin| plugin.name()).chain([LATER]).collect();
    names.join(", ")
}

/// Those of filters.
pub(super) fn filters() -> String {
    Plugin::FILTERS.map(Plugin::name).join(", ")
}
