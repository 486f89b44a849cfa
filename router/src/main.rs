//! The router as a program of its own.

use clap::Parser;
use kthena_router::{Options, log};
use std::io::{IsTerminal, stderr};
use std::process::ExitCode;
use tikv_jemallocator::Jemalloc;
use tokio::signal::unix::{SignalKind, signal};

/// Its profiles say who holds the memory (`/debug/pprof/heap`); `.cargo/config.toml` has its settings.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Serves Envoy its configuration and picks endpoints.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let log = log::start(log::DEFAULT, stderr().is_terminal());
    let ended = async {
        let mut terminate = signal(SignalKind::terminate())?;
        kthena_router::run(arguments.options, log, async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        })
        .await
    };
    match ended.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kthena-router: {error:#}");
            ExitCode::FAILURE
        }
    }
}
