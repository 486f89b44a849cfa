//! One of the processes of `kthena up`, ending with the process that started it.
//!
//! What is to die with its parent must ask for that itself, after the fork and before anything else. So
//! every child, Envoy too, begins as this program; Envoy then takes its place, which keeps the request.

use crate::args::{ChildOptions, Role};
use anyhow::{Context, bail};
use kthena_router::log;
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

/// Becomes what is asked for.
pub fn run(options: ChildOptions) -> ExitCode {
    match become_child(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn become_child(options: ChildOptions) -> anyhow::Result<()> {
    die_with(options.parent)?;
    match options.role {
        Role::Router(options) => {
            // Plainly: the parent puts our name before each line.
            let log = log::start(log::DEFAULT, false);
            Builder::new_multi_thread().enable_all().build()?.block_on(async {
                let mut terminate = signal(SignalKind::terminate())?;
                let shutdown = async move {
                    terminate.recv().await;
                };
                kthena_router::run(*options, log, shutdown).await
            })
        }
        Role::Simulator(options) => {
            // That it started and where is said by the parent.
            log::start("warn", false);
            Builder::new_current_thread().enable_all().build()?.block_on(kthena_simulator::run(*options))
        }
        Role::Envoy { command } => {
            let (program, arguments) = command.split_first().context("a program is needed")?;
            let error = Command::new(program).args(arguments).exec();
            Err(error).with_context(|| program.display().to_string())
        }
    }
}

/// Asks the kernel to kill us when the parent dies, also by `kill -9`.
///
/// # Errors
/// The parent is gone already: then the kernel has nothing left to tell us.
fn die_with(parent: i32) -> anyhow::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid() != Pid::from_raw(parent) {
        bail!("process {parent}, which started this one, has ended");
    }
    Ok(())
}
