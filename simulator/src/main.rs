//! The simulator's binary: flags, a log on standard error, and an exit code.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

/// A stand-in inference engine that answers as vLLM or SGLang does, without a model.
#[derive(Parser)]
#[command(name = "kthena-simulator", version)]
struct Arguments {
    #[command(flatten)]
    options: kthena_simulator::Options,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    match kthena_simulator::run(arguments.options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kthena-simulator: {error:#}");
            ExitCode::FAILURE
        }
    }
}
