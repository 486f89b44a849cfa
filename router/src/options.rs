//! What the router is started with.

mod access_log;
mod drain;
mod otlp;
mod tls;

pub use access_log::AccessLogOptions;
pub use drain::DrainOptions;
pub use otlp::{CollectorUrl, OtlpOptions};
pub use tls::TlsOptions;

use crate::source::endpoints::EngineUrl;
use clap::Args;
use kthena_crds as crds;
use kthena_envoy::{Sockets, Wiring};
use kthena_ext_proc::{Decisions, scrape};
use std::env;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The filter's module as the build leaves it beside the binaries.
pub const WASM_FILE: &str = "kthena_wasm_filter.wasm";

/// Flags of the router.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Directory (or file) of manifests to serve; repeat for more.
    #[arg(long = "manifests", short = 'f', value_name = "DIR", required_unless_present = "endpoints")]
    pub manifests: Vec<PathBuf>,

    /// An engine to serve instead of manifests, as http://HOST:PORT; repeat for more.
    #[arg(long = "endpoint", value_name = "URL", conflicts_with = "manifests")]
    pub endpoints: Vec<EngineUrl>,

    /// Where Envoy listens for clients.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,

    /// What makes that HTTPS.
    #[command(flatten)]
    pub tls: TlsOptions,

    /// Where Prometheus metrics are served.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:9090")]
    pub metrics: SocketAddr,

    /// Where the debug pages are served.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:15000")]
    pub debug: SocketAddr,

    /// How many of the latest decisions the debug pages explain; 0 keeps none.
    #[arg(long, value_name = "N", default_value_t = Decisions::DEFAULT_LIMIT)]
    pub debug_decisions: usize,

    /// Router configuration (scheduler, dataPlane); without it the defaults.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Directory for the Unix sockets that Envoy connects to.
    #[arg(long, value_name = "DIR")]
    pub run_dir: PathBuf,

    /// The filter's module; without it, the file beside this binary.
    #[arg(long, value_name = "FILE")]
    pub wasm: Option<PathBuf>,

    /// How often engines are asked for their metrics (such as 1s, 500ms).
    #[arg(long, env = "METRICS_SCRAPE_INTERVAL", value_name = "DURATION", default_value = "1s")]
    pub metrics_scrape_interval: String,

    /// What comes before the end.
    #[command(flatten)]
    pub drain: DrainOptions,

    /// What is said of each request.
    #[command(flatten)]
    pub access_log: AccessLogOptions,

    /// Where traces go.
    #[command(flatten)]
    pub otlp: OtlpOptions,

    /// Let nobody else listen where Envoy does, so that a second run is refused and takes no connections.
    #[arg(long, hide = true)]
    pub exclusive: bool,

    /// Say nothing of the problems found at the start: whoever started us has said them.
    #[arg(long, hide = true)]
    pub quiet_start: bool,
}

impl Options {
    /// How Envoy reaches us.
    ///
    /// # Errors
    /// The filter's module is nowhere.
    pub fn wiring(&self) -> anyhow::Result<Wiring> {
        Ok(Wiring { sockets: Sockets::in_directory(&self.run_dir), wasm: find_wasm(self.wasm.clone())? })
    }

    /// How often engines are asked for their metrics; what cannot be taken is said, and the default counts.
    pub fn scrape_interval(&self) -> Duration {
        scrape_interval(&self.metrics_scrape_interval).unwrap_or_else(|problem| {
            tracing::warn!("{problem}");
            scrape::DEFAULT_INTERVAL
        })
    }
}

/// More often than this, a scraper would do nothing else.
const SHORTEST_SCRAPE_INTERVAL: Duration = Duration::from_millis(10);
/// Less often, nothing that is known would be of now.
const LONGEST_SCRAPE_INTERVAL: Duration = Duration::from_secs(3600);

fn scrape_interval(text: &str) -> Result<Duration, String> {
    let refused = |why: String| {
        let default = scrape::DEFAULT_INTERVAL;
        format!("METRICS_SCRAPE_INTERVAL: {why}; {default:?} counts")
    };
    let interval = text.parse::<crds::Duration>().map_err(|error| refused(error.to_string()))?.as_std();
    if !(SHORTEST_SCRAPE_INTERVAL..=LONGEST_SCRAPE_INTERVAL).contains(&interval) {
        return Err(refused(format!("{text} is not between 10ms and 1h")));
    }
    Ok(interval)
}

/// The filter's module: the one given, or the one beside this binary; absolute, since Envoy reads it.
///
/// # Errors
/// Names the file that is missing and how to make it.
pub fn find_wasm(given: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let path = match given {
        Some(path) => path,
        None => env::current_exe()?.with_file_name(WASM_FILE),
    };
    path.canonicalize().map_err(|error| {
        anyhow::anyhow!("filter module {}: {error}; build it with `make wasm`, or name one with --wasm", path.display())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_interval_is_a_duration_as_go_writes_it() {
        assert_eq!(scrape_interval("1s"), Ok(scrape::DEFAULT_INTERVAL));
        assert_eq!(scrape_interval("250ms"), Ok(Duration::from_millis(250)));
    }

    #[test]
    fn a_scrape_interval_that_cannot_be_taken_is_named_with_what_counts() {
        for (text, why) in
            [("soon", "such as"), ("", "such as"), ("-1s", "such as"), ("0s", "10ms and 1h"), ("2h", "10ms and 1h")]
        {
            let problem = scrape_interval(text).unwrap_err();
            assert!(problem.starts_with("METRICS_SCRAPE_INTERVAL: ") && problem.contains(why), "{problem}");
            assert!(problem.ends_with("; 1s counts"), "{problem}");
        }
    }
}
