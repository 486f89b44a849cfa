//! `kthena`: the command line.

mod args;
mod child;
mod up;

use args::{Arguments, Command};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Up(options) => up::up(&options),
        Command::Child(options) => child::run(options),
    }
}
