//! The log of a program: lines to standard error, by a filter that can be changed while it runs.

use kthena_ext_proc::debug::Log;
use tracing_subscriber::EnvFilter;

/// What is written unless `RUST_LOG` says otherwise.
pub const DEFAULT: &str = "info,notify=off";

/// Starts the log, once in a process; `ansi` colours it. What it returns changes the filter.
///
/// # Panics
/// When there is a log already.
pub fn start(default: &str, ansi: bool) -> Log {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_target(false).with_ansi(ansi);
    let log = log.with_writer(std::io::stderr).with_filter_reloading();
    let handle = Log::new(log.reload_handle());
    log.init();
    handle
}
