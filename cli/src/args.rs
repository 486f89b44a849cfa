//! What may be typed.

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use kthena_router::source::endpoints::EngineUrl;
use kthena_router::{OtlpOptions, TlsOptions};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Kthena on Envoy: LLM serving, on a cluster or on a laptop.
#[derive(Debug, Parser)]
#[command(name = "kthena", version)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve a directory of manifests, or engines that run, on this machine with no cluster.
    Up(Box<UpOptions>),
    /// One of the processes of `up`.
    #[command(hide = true)]
    Child(ChildOptions),
}

/// Flags of `kthena up`.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("served").args(["manifests", "endpoints"]).required(true).multiple(true))]
pub struct UpOptions {
    /// Directory (or file) of manifests to serve; edits are followed. Repeat for more.
    #[arg(long = "manifests", short = 'f', value_name = "DIR")]
    pub manifests: Vec<PathBuf>,

    /// An engine that runs, as http://HOST:PORT, to be served without manifests: it is asked for its models.
    /// Repeat for more.
    #[arg(long = "endpoint", value_name = "URL", conflicts_with_all = ["manifests", "simulate"])]
    pub endpoints: Vec<EngineUrl>,

    /// Run a simulated engine for each Pod of the manifests, and two for each ModelServer without Pods.
    #[arg(long)]
    pub simulate: bool,

    /// Where clients send requests. Here and below, port 0 takes a free one.
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

    /// Print the address of the page that shows endpoints, load and decisions as they are made.
    #[arg(long)]
    pub open: bool,

    /// Where Envoy's admin pages are served.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:9901")]
    pub admin: SocketAddr,

    /// Router configuration (scheduler, dataPlane); without it the defaults.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// What is printed of each request [default: text; $ACCESS_LOG_ENABLED, _FORMAT and _OUTPUT are honoured].
    #[arg(long, value_name = "FORMAT")]
    pub access_log: Option<AccessLog>,

    /// Where traces go.
    #[command(flatten)]
    pub otlp: OtlpOptions,

    /// Envoy [default: $KTHENA_ENVOY, the one that `make envoy` fetched, or `envoy` on the PATH].
    #[arg(long, value_name = "FILE")]
    pub envoy: Option<PathBuf>,

    /// The most memory for Envoy's heap, such as 512Mi or 4Gi; beyond it new requests get 503 [default: half of what
    /// this machine or container has].
    #[arg(long, env = "KTHENA_ENVOY_HEAP", value_name = "SIZE", value_parser = size)]
    pub envoy_heap: Option<u64>,

    /// The most connections of clients; whoever comes then is closed [default: half of the files that may be open, at
    /// most 50000].
    #[arg(long, env = "KTHENA_MAX_CONNECTIONS", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_connections: Option<u64>,

    /// The filter's module [default: the file beside this binary].
    #[arg(long, value_name = "FILE")]
    pub wasm: Option<PathBuf>,

    /// Pace of the simulated engines.
    #[command(flatten)]
    pub simulator: SimulatorPace,
}

/// Lines about requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AccessLog {
    /// A line of text for each.
    Text,
    /// A JSON object for each.
    Json,
    /// None.
    Off,
}

/// What is handed to every simulator; without a value, its own defaults.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct SimulatorPace {
    /// Divides the two times below: 10 makes simulated engines ten times as quick [default: 1].
    #[arg(long = "simulator-speed", value_name = "FACTOR", value_parser = speed, requires = "simulate")]
    pub speed: Option<f64>,

    /// A simulated engine's time to the first token [default: 20ms].
    #[arg(long = "simulator-ttft", value_name = "DURATION", value_parser = humantime::parse_duration, requires = "simulate")]
    pub ttft: Option<Duration>,

    /// A simulated engine's time per output token after the first [default: 5ms].
    #[arg(long = "simulator-tpot", value_name = "DURATION", value_parser = humantime::parse_duration, requires = "simulate")]
    pub tpot: Option<Duration>,
}

/// Flags of `kthena child`.
#[derive(Debug, Args)]
pub struct ChildOptions {
    /// The process without which there is nothing to do.
    #[arg(long)]
    pub parent: i32,

    /// What to be.
    #[command(subcommand)]
    pub role: Role,
}

/// What a child process is.
#[derive(Debug, Subcommand)]
pub enum Role {
    /// xDS and the picker.
    Router(Box<kthena_router::Options>),
    /// A simulated engine.
    Simulator(Box<kthena_simulator::Options>),
    /// Envoy, by its command line.
    Envoy {
        /// The program and its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<OsString>,
    },
}

/// The least that an Envoy with the filter can serve in.
const LEAST_HEAP: u64 = 32 << 20;

/// Bytes, with Kubernetes' binary suffixes.
fn size(text: &str) -> Result<u64, String> {
    let units = [("Ki", 10), ("Mi", 20), ("Gi", 30)];
    let (digits, shift) =
        units.iter().find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, *shift))).unwrap_or((text, 0));
    let bytes = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift));
    match bytes.filter(|bytes| *bytes >= LEAST_HEAP) {
        Some(bytes) => Ok(bytes),
        None => Err("a size of at least 32Mi is needed, such as 512Mi or 4Gi".to_owned()),
    }
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(factor) if f64::is_finite(factor) && factor > 0.0 => Ok(factor),
        _ => Err("a finite number above 0 is needed".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn up(flags: &str) -> Result<UpOptions, String> {
        let words = ["kthena", "up"].into_iter().chain(flags.split_whitespace());
        match Arguments::try_parse_from(words).map_err(|error| error.to_string())?.command {
            Command::Up(options) => Ok(*options),
            Command::Child(_) => Err("a child".to_owned()),
        }
    }

    #[test]
    fn the_definition_is_one_that_clap_accepts() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_directory_is_all_that_up_needs() {
        let options = up("-f examples").unwrap();
        assert_eq!(options.manifests, [PathBuf::from("examples")]);
        assert!(!options.simulate);
        let addresses = [options.listen, options.metrics, options.debug, options.admin].map(|at| at.to_string());
        assert_eq!(addresses, ["127.0.0.1:8080", "127.0.0.1:9090", "127.0.0.1:15000", "127.0.0.1:9901"]);
        let error = up("").unwrap_err();
        assert!(error.contains("--manifests <DIR>") && error.contains("--endpoint <URL>"), "{error}");
    }

    #[test]
    fn engines_take_the_place_of_manifests_and_of_simulated_engines() {
        let options = up("--endpoint http://127.0.0.1:8000 --endpoint http://[::1]:8001/v1").unwrap();
        let endpoints: Vec<_> = options.endpoints.iter().map(ToString::to_string).collect();
        assert_eq!(endpoints, ["http://127.0.0.1:8000", "http://[::1]:8001"]);
        for (flags, parts) in [
            ("--endpoint http://h:1 -f x", ["--endpoint <URL>", "--manifests <DIR>"]),
            ("--endpoint http://h:1 --simulate", ["--endpoint <URL>", "--simulate"]),
            ("--endpoint https://h:1", ["--endpoint <URL>", "expected http://HOST:PORT"]),
        ] {
            let error = up(flags).unwrap_err();
            assert!(parts.iter().all(|part| error.contains(part)), "{flags}: {error}");
        }
    }

    #[test]
    fn a_certificate_and_its_key_are_given_together() {
        assert!(up("-f x --tls-cert a.crt --tls-key a.key").is_ok());
        for (alone, other) in [("--tls-cert a.crt", "--tls-key <FILE>"), ("--tls-key a.key", "--tls-cert <FILE>")] {
            let error = up(&format!("-f x {alone}")).unwrap_err();
            assert!(error.contains("required") && error.contains(other), "{error}");
        }
    }

    #[test]
    fn a_pace_is_for_simulated_engines_only() {
        let pace = up("-f x --simulate --simulator-speed 10 --simulator-ttft 1s").unwrap().simulator;
        assert_eq!(pace, SimulatorPace { speed: Some(10.0), ttft: Some(Duration::from_secs(1)), tpot: None });
        assert!(up("-f x --simulator-speed 10").unwrap_err().contains("--simulate"));
        assert!(up("-f x --simulate --simulator-speed 0").unwrap_err().contains("above 0"));
    }

    #[test]
    fn bounds_are_written_as_in_kubernetes() {
        let options = up("-f x --envoy-heap 512Mi --max-connections 20000").unwrap();
        assert_eq!((options.envoy_heap, options.max_connections), (Some(512 << 20), Some(20_000)));
        assert_eq!(up("-f x --envoy-heap 1073741824").unwrap().envoy_heap, Some(1 << 30));
        for size in ["1Mi", "512MB", "-1", "", "99999999999Gi"] {
            assert!(up(&format!("-f x --envoy-heap={size}")).unwrap_err().contains("at least 32Mi"), "{size}");
        }
        assert!(up("-f x --max-connections 0").is_err());
    }

    #[test]
    fn a_child_s_envoy_keeps_its_own_flags() {
        let words = ["kthena", "child", "--parent", "7", "envoy", "/bin/envoy", "-c", "envoy.json", "--version"];
        let Command::Child(child) = Arguments::try_parse_from(words).unwrap().command else {
            unreachable!("the subcommand is child");
        };
        assert_eq!(child.parent, 7);
        let Role::Envoy { command } = child.role else { unreachable!("the role is envoy") };
        assert_eq!(command, words[5..]);
    }
}
