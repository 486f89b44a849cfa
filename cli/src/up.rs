//! `kthena up`: manifests of a directory, or engines that run, served on this machine with no cluster.
//!
//! One process supervises the router (xDS and the picker), Envoy and simulated engines. It carries no request
//! itself: were it to hang, requests would not notice; when it ends, in whatever way, everything ends with it.

mod check;
mod envoy;
mod event;
mod http;
mod machine;
mod ports;
mod ready;
mod report;
mod run_dir;
mod say;
mod served;
mod session;
mod simulate;
mod supervisor;

use crate::args::UpOptions;
use event::Event;
use say::say;
use session::Session;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;
use std::process::ExitCode;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use tracing_subscriber::EnvFilter;

/// Serves until Ctrl-C, or whatever else asks a program to end.
pub fn up(options: &UpOptions) -> ExitCode {
    let code = serve(options);
    say::finish();
    code
}

fn serve(options: &UpOptions) -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,notify=off"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(false)
        .with_writer(|| say::Log)
        .init();
    let checked = match check::check(options) {
        Ok(checked) => checked,
        Err(errors) => {
            errors.iter().for_each(|error| say(&format!("kthena: {error}")));
            return ExitCode::FAILURE;
        }
    };
    let (sender, events) = channel();
    let run = || {
        follow_signals(sender.clone())?;
        Session::start(options, checked, sender)?.run(&events)
    };
    run().unwrap_or_else(|error| {
        say(&format!("kthena: {error:#}"));
        ExitCode::FAILURE
    })
}

fn follow_signals(events: Sender<Event>) -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM])?;
    let follow = move || signals.forever().map_while(|_| events.send(Event::Stop).ok()).for_each(drop);
    thread::Builder::new().name("signals".to_owned()).spawn(follow).map(drop)
}
