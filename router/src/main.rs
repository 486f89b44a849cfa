//! The router as a program of its own.

use clap::Parser;
use kthena_router::{Options, log};
use std::io::{self, IsTerminal, stderr};
use std::process::ExitCode;
use tikv_jemallocator::Jemalloc;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

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

/// What a shell says of a command that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let log = log::start(log::DEFAULT, stderr().is_terminal());
    let ended = async {
        let mut stop = Stop::new()?;
        let (ask, asked) = oneshot::channel::<()>();
        let twice = async {
            stop.next().await;
            drop(ask);
            stop.next().await;
        };
        let run = kthena_router::run(arguments.options, log, async { drop(asked.await) });
        tokio::select! {
            ended = run => ended.map(|()| ExitCode::SUCCESS),
            () = twice => {
                tracing::warn!("asked to end a second time: what is in flight is no longer waited for");
                Ok(ExitCode::from(INTERRUPTED))
            }
        }
    };
    ended.await.unwrap_or_else(|error: anyhow::Error| {
        eprintln!("kthena-router: {error:#}");
        ExitCode::FAILURE
    })
}

/// The signals that ask to end.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn new() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
