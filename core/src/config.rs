//! The router's configuration file: parsed, then compiled into something that can run.
//!
//! The format is upstream's `routerConfiguration` (ConfigMap key and `--config` file), with our own keys
//! under `dataPlane`. A human writes it, so unknown keys are refused. What this version does not do yet is
//! served without and named in [`Compiled::problems`]; except `auth`, which nobody may believe in force.

use crate::scheduling::Profile;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

mod arguments;
mod scheduler;

pub use scheduler::{Filters, PluginConfig, Plugins, Scheduler, ScoreEntry, Scores};

/// Bodies beyond this are refused unless the file says otherwise: 64 MiB.
pub const DEFAULT_MAX_REQUEST_BODY_BYTES: u64 = 64 << 20;

/// How long a request may be silent unless the file says otherwise. An answer that is not streamed is silent until it
/// is whole, and a long prompt until its first token: Envoy's own 5 minutes end both.
pub const DEFAULT_STREAM_IDLE_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// Shorter, pauses between tokens would end streams; longer, a hanging engine would hold requests for days.
const STREAM_IDLE_TIMEOUTS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60);

/// The filter's memory is 4 GiB at the most and never shrinks, and editing a body's end takes two copies
/// of what comes before: beyond this a single request could end the VM.
const LARGEST_MAX_REQUEST_BODY_BYTES: u64 = 256 << 20;

/// The file as written.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct RouterConfiguration {
    /// How endpoints are chosen where nothing else is said.
    pub scheduler: Option<Scheduler>,
    /// JWT authentication.
    pub auth: Auth,
    /// What Envoy and the filter are told.
    pub data_plane: DataPlane,
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
    /// A request that is silent for this long, both ways, ends: 504, or a stream that breaks off.
    #[serde(deserialize_with = "duration")]
    pub stream_idle_timeout: Duration,
    /// Other ways of choosing, by the name that a ModelServer's annotation gives.
    pub scheduler_profiles: BTreeMap<String, Scheduler>,
    /// Whether answers say which endpoint gave them.
    pub endpoint_header: bool,
    /// What engines are told of the credentials that clients send.
    pub client_credentials: ClientCredentials,
}

/// `dataPlane.clientCredentials`
///
/// While we authenticate nobody, a client's key is the engine's business: one that is started with `--api-key` would
/// answer nobody without it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum ClientCredentials {
    /// Engines get them as they are.
    #[default]
    Forward,
    /// Engines get none.
    Drop,
}

/// A configuration that can run.
#[derive(Debug)]
pub struct Compiled {
    /// How endpoints are chosen.
    pub profile: Profile,
    /// How those of a ModelServer are chosen that names one of these.
    pub profiles: BTreeMap<String, Profile>,
    /// Bodies beyond this many bytes get 413.
    pub max_request_body_bytes: u64,
    /// Whether answers say which endpoint gave them.
    pub endpoint_header: bool,
    /// What engines are told of the credentials that clients send.
    pub client_credentials: ClientCredentials,
    /// A request that is silent for this long, both ways, ends.
    pub stream_idle_timeout: Duration,
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
    /// A duration out of its range.
    #[error("dataPlane.streamIdleTimeout: {} is not between 1s and 24h", humantime::format_duration(*.0))]
    StreamIdleTimeout(Duration),
    /// A plugin nobody knows.
    #[error("{field}: unknown plugin `{name}`, expected one of {}", scheduler::names())]
    UnknownPlugin {
        /// Where it is named.
        field: String,
        /// What it is called there.
        name: String,
    },
    /// A plugin that drops no endpoints.
    #[error("{field}: `{name}` does not filter, expected one of {}", scheduler::filters())]
    NoFilter {
        /// Where it is named.
        field: String,
        /// Its name.
        name: String,
    },
    /// A plugin that would run twice.
    #[error("{field}: `{name}` is there twice, expected each plugin once")]
    Twice {
        /// Where it is named.
        field: String,
        /// Its name.
        name: String,
    },
    /// An argument that a plugin does not have.
    #[error("{field}: unknown argument, {}", expected(names))]
    UnknownArgument {
        /// Where it is.
        field: String,
        /// Those that it has.
        names: &'static [&'static str],
    },
    /// A value that an argument cannot have.
    #[error("{field}: {value} is not {expected}")]
    Argument {
        /// Where it is.
        field: String,
        /// What is written there, as JSON.
        value: String,
        /// What is accepted.
        expected: String,
    },
    /// A profile that nothing can name.
    #[error("dataPlane.schedulerProfiles: a profile without a name, expected one that an annotation can give")]
    NamelessProfile,
}

/// A duration such as `90s` or `10m`.
fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    let read = humantime::parse_duration(&text);
    read.map_err(|error| serde::de::Error::custom(format!("{text:?} is no duration like 90s or 10m: {error}")))
}

fn expected(names: &[&str]) -> String {
    match names {
        [] => "the plugin has none".to_owned(),
        [name] => format!("expected {name}"),
        names => format!("expected one of {}", names.join(", ")),
    }
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
        let stream_idle_timeout = self.data_plane.stream_idle_timeout;
        if !STREAM_IDLE_TIMEOUTS.contains(&stream_idle_timeout) {
            return Err(ConfigError::StreamIdleTimeout(stream_idle_timeout));
        }
        let mut problems = Vec::new();
        let profile = match &self.scheduler {
            None => Profile::default(),
            Some(scheduler) => scheduler.compile("scheduler", &mut problems)?,
        };
        let mut profiles = BTreeMap::new();
        for (name, written) in &self.data_plane.scheduler_profiles {
            if name.trim().is_empty() {
                return Err(ConfigError::NamelessProfile);
            }
            let profile = written.compile(&format!("dataPlane.schedulerProfiles.{name}"), &mut problems)?;
            profiles.insert(name.clone(), profile);
        }
        let DataPlane { endpoint_header, client_credentials, .. } = self.data_plane;
        Ok(Compiled {
            profile,
            profiles,
            max_request_body_bytes,
            stream_idle_timeout,
            endpoint_header,
            client_credentials,
            problems,
        })
    }
}

// === impl DataPlane ===

impl Default for DataPlane {
    fn default() -> Self {
        Self {
            max_request_body_bytes: DEFAULT_MAX_REQUEST_BODY_BYTES,
            stream_idle_timeout: DEFAULT_STREAM_IDLE_TIMEOUT,
            scheduler_profiles: BTreeMap::new(),
            endpoint_header: false,
            client_credentials: ClientCredentials::default(),
        }
    }
}

#[cfg(test)]
mod tests;
