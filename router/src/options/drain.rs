//! What the router does before it ends.

use crate::drain::Drain;
use clap::Args;
use kthena_crds as crds;
use std::net::SocketAddr;
use std::time::Duration;

/// Upstream's default.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// Long enough for every node to hear that the pod is about to go.
const LINGER: Duration = Duration::from_secs(5);

/// Flags of the drain.
#[derive(Debug, Clone, Args)]
pub struct DrainOptions {
    /// Envoy's admin address: asked to end, we drain that Envoy first. Without it the end is at once.
    #[arg(long, value_name = "ADDR:PORT")]
    pub envoy_admin: Option<SocketAddr>,

    /// How long requests in flight are waited for, altogether (such as 5m, 90s).
    #[arg(long, env = "DRAIN_TIMEOUT", value_name = "DURATION", default_value = "5m")]
    pub drain_timeout: String,

    /// How long new connections are still taken, while `/readyz` says that we are not ready (such as 5s, 0s).
    #[arg(long, env = "DRAIN_LINGER", value_name = "DURATION", default_value = "5s")]
    pub drain_linger: String,
}

// === impl DrainOptions ===

impl DrainOptions {
    /// The drain, where there is an Envoy to drain, and what of the flags cannot be taken; the default counts then.
    pub fn settings(&self) -> (Option<Drain>, Vec<String>) {
        let Some(admin) = self.envoy_admin else { return (None, Vec::new()) };
        let mut warnings = Vec::new();
        let mut duration = |name: &str, text: &str, default: Duration| match text.parse::<crds::Duration>() {
            Ok(duration) => duration.as_std(),
            Err(error) => {
                warnings.push(format!("{name}: {error}; {} counts", humantime::format_duration(default)));
                default
            }
        };
        let timeout = duration("DRAIN_TIMEOUT", &self.drain_timeout, DRAIN_TIMEOUT);
        let linger = duration("DRAIN_LINGER", &self.drain_linger, LINGER);
        (Some(Drain { admin, linger, timeout }), warnings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(admin: Option<&str>, timeout: &str, linger: &str) -> (Option<Drain>, Vec<String>) {
        let envoy_admin = admin.map(|address| address.parse().unwrap());
        let options = DrainOptions { envoy_admin, drain_timeout: timeout.into(), drain_linger: linger.into() };
        options.settings()
    }

    const ADMIN: &str = "127.0.0.1:9901";

    #[test]
    fn durations_are_as_go_writes_them() {
        let (drain, warnings) = settings(Some(ADMIN), "1m30s", "0s");
        let timeout = Duration::from_secs(90);
        assert_eq!(drain, Some(Drain { admin: ADMIN.parse().unwrap(), linger: Duration::ZERO, timeout }));
        assert_eq!(warnings, [] as [String; 0]);
    }

    #[test]
    fn what_cannot_be_taken_is_said_and_the_default_counts() {
        let (drain, warnings) = settings(Some(ADMIN), "90", "-5s");
        assert_eq!(drain, Some(Drain { admin: ADMIN.parse().unwrap(), linger: LINGER, timeout: DRAIN_TIMEOUT }));
        assert!(warnings[0].starts_with("DRAIN_TIMEOUT: ") && warnings[0].ends_with("; 5m counts"), "{warnings:?}");
        assert!(warnings[1].starts_with("DRAIN_LINGER: ") && warnings[1].ends_with("; 5s counts"), "{warnings:?}");
    }

    #[test]
    fn without_an_envoy_nothing_is_drained() {
        assert_eq!(settings(None, "90", "5s"), (None, Vec::new()));
    }
}
