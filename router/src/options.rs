//! What the router is started with.

use clap::Args;
use kthena_envoy::{Sockets, Wiring};
use kthena_ext_proc::Decisions;
use std::env;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The filter's module as the build leaves it beside the binaries.
pub const WASM_FILE: &str = "kthena_wasm_filter.wasm";

/// Flags of the router.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Directory (or file) of manifests to serve; repeat for more.
    #[arg(long = "manifests", short = 'f', value_name = "DIR", required = true)]
    pub manifests: Vec<PathBuf>,

    /// Where Envoy listens for clients.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,

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
