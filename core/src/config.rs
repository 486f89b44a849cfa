//! The router's configuration file: parsed, then compiled into something that can run.
//!
//! The format is upstream's `routerConfiguration` (ConfigMap key and `--config` file), with our own keys
//! under `dataPlane`. A human writes it, so unknown keys are refused. What this version does not do yet is
//! served without and named in [`Compiled::problems`]; except `auth`, which nobody may believe in force.

use crate::scheduling::{Filter, MaxWaiting, Plugin, Profile};
use serde::Deserialize;

mod arguments;

/// Bodies beyond this are refused unless the file says otherwise: 64 MiB.
pub const DEFAULT_MAX_REQUEST_BODY_BYTES: u64 = 64 << 20;

/// The filter's memory is 4 GiB at the most and never shrinks, and editing a body's end takes two copies
/// of what comes before: beyond this a single request could end the VM.
const LARGEST_MAX_REQUEST_BODY_BYTES: u64 = 256 << 20;

/// Upstream's plugins that are not built yet.
const LATER: [&str; 5] = ["lora-affinity", "gpu-usage", "least-latency", "prefix-cache", "kvcache-aware"];

/// The file as written.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct RouterConfiguration {
    /// Which plugins run, with what arguments.
    pub scheduler: Option<Scheduler>,
    /// JWT authentication.
    pub auth: Auth,
    /// What Envoy and the filter are told.
    pub data_plane: DataPlane,
}

/// `scheduler`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Scheduler {
    /// Arguments by plugin name.
    pub plugin_config: Vec<PluginConfig>,
    /// Which plugins run.
    pub plugins: Plugins,
}

/// An entry of `scheduler.pluginConfig`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginConfig {
    /// The plugin's name.
    pub name: String,
    /// Its arguments; checked by the plugin that reads them.
    #[serde(default)]
    pub args: serde_json::Map<String, serde_json::Value>,
}

/// `scheduler.plugins`; the two keys are capitalised, as upstream has them.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
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
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filters {
    /// In the order they run.
    pub enabled: Vec<String>,
    /// Read for compatibility; it has no effect.
    pub disabled: Vec<String>,
}

/// `scheduler.plugins.Score`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scores {
    /// With their weights.
    pub enabled: Vec<ScoreEntry>,
    /// Read for compatibility; it has no effect.
    pub disabled: Vec<serde_json::Value>,
}

/// A scorer and what it counts for.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreEntry {
    /// The plugin's name.
    pub name: String,
    /// Its factor; absent it counts nothing, as upstream has it.
    #[serde(default)]
    pub weight: u32,
}

/// `auth`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct Auth {
    pub issuer: String,
    pub audiences: Vec<String>,
    pub jwks_uri: String,
}

/// `dataPlane`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct DataPlane {
    /// Bodies beyond this many bytes get 413.
    pub max_request_body_bytes: u64,
}

/// A configuration that can run.
#[derive(Debug)]
pub struct Compiled {
    /// How endpoints are chosen.
    pub profile: Profile,
    /// Bodies beyond this many bytes get 413.
    pub max_request_body_bytes: u64,
    /// What is asked for and served without, a sentence each.
    pub problems: Vec<String>,
}

/// A configuration that must not run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Serving without the authentication that is asked for would let everyone in.
    #[error("auth.jwksUri: JWT authentication is not available in this version; leave it empty or absent")]
    Auth,
    /// A number out of its range.
    #[error("dataPlane.maxRequestBodyBytes: {0} is not between 1 and {LARGEST_MAX_REQUEST_BODY_BYTES}")]
    MaxRequestBodyBytes(u64),
    /// A plugin nobody knows.
    #[error("{field}: unknown plugin `{name}`, expected one of {}", known())]
    UnknownPlugin {
        /// Where it is named.
        field: &'static str,
        /// What it is called there.
        name: String,
    },
}

// === impl RouterConfiguration ===

impl RouterConfiguration {
    /// Checks the file and builds what it describes.
    ///
    /// # Errors
    /// [`ConfigError`] names the field and the accepted values.
    pub fn compile(&self) -> Result<Compiled, ConfigError> {
        if !self.auth.jwks_uri.is_empty() {
            return Err(ConfigError::Auth);
        }
        let max_request_body_bytes = self.data_plane.max_request_body_bytes;
        if !(1..=LARGEST_MAX_REQUEST_BODY_BYTES).contains(&max_request_body_bytes) {
            return Err(ConfigError::MaxRequestBodyBytes(max_request_body_bytes));
        }
        let mut problems = Vec::new();
        let profile = match &self.scheduler {
            None => Profile::default(),
            Some(scheduler) => scheduler.compile(&mut problems)?,
        };
        Ok(Compiled { profile, max_request_body_bytes, problems })
    }
}

// === impl Scheduler ===

impl Scheduler {
    fn compile(&self, problems: &mut Vec<String>) -> Result<Profile, ConfigError> {
        for config in &self.plugin_config {
            check("scheduler.pluginConfig", &config.name)?;
        }
        let mut filters: Vec<Box<dyn Filter>> = Vec::new();
        for name in &self.plugins.filter.enabled {
            check("scheduler.plugins.Filter.enabled", name)?;
            match Plugin::from_name(name) {
                Some(Plugin::LeastRequest) => {
                    filters.push(Box::new(MaxWaiting(arguments::max_waiting(&self.plugin_config, problems))));
                }
                Some(Plugin::Random) | None => {
                    problems.push(format!("scheduler.plugins.Filter.enabled: `{name}` does not filter in this version"))
                }
            }
        }
        let mut scorers = Vec::new();
        for entry in &self.plugins.score.enabled {
            check("scheduler.plugins.Score.enabled", &entry.name)?;
            match Plugin::from_name(&entry.name) {
                Some(plugin) => scorers.push((plugin, f64::from(entry.weight))),
                None => problems
                    .push(format!("scheduler.plugins.Score.enabled: `{}` does not score in this version", entry.name)),
            }
        }
        Ok(Profile::new(filters, scorers.into_iter().map(|(plugin, weight)| (plugin.scorer(), weight)).collect()))
    }
}

fn check(field: &'static str, name: &str) -> Result<(), ConfigError> {
    if Plugin::from_name(name).is_some() || LATER.contains(&name) {
        return Ok(());
    }
    Err(ConfigError::UnknownPlugin { field, name: name.to_owned() })
}

fn known() -> String {
    let names: Vec<_> = Plugin::ALL.iter().map(|plugin| plugin.name()).chain(LATER).collect();
    names.join(", ")
}

// === impl DataPlane ===

impl Default for DataPlane {
    fn default() -> Self {
        Self { max_request_body_bytes: DEFAULT_MAX_REQUEST_BODY_BYTES }
    }
}

#[cfg(test)]
mod tests;
