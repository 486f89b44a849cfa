//! `kthena`: the command line.

mod args;
mod child;
mod up;

use args::{Arguments, Command};
use clap::Parser;
use std::process::ExitCode;
use tikv_jemallocator::Jemalloc;

/// Its profiles say who holds the memory of the router (`/debug/pprof/heap`).
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Up(options) => up::up(&options),
        Command::Child(options) => child::run(options),
    }
}
