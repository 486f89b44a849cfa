//! `make bench`: what the data plane costs beside a plain Envoy, in one table.

mod machine;
mod table;

use clap::{Parser, Subcommand};
use kthena_e2e::bench::{Line, Plan, ROWS, Row, Shared, serve};
use kthena_e2e::replace_generated;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, fs};

/// Measures processor time, latency, memory and times to start and to change, beside a plain Envoy.
#[derive(Parser)]
#[command(name = "kthena-bench", args_conflicts_with_subcommands = true)]
struct Arguments {
    /// Fewer and shorter samples, each taken once; nothing is written.
    #[arg(long)]
    quick: bool,

    /// Only rows with this in their name; nothing is written then. Repeat for more.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,

    /// The page with the marks between which the table goes.
    #[arg(long, default_value = "docs/performance.md")]
    page: PathBuf,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Be the engines that a run asks.
    #[command(hide = true)]
    Engines {
        /// So many.
        count: usize,
        /// Milliseconds between two chunks of a stream.
        pace: u64,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if let Some(Command::Engines { count, pace }) = arguments.command {
        // One thread: there is little to do, and others need the processors.
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(serve(count, Duration::from_millis(pace)))?;
        return Ok(ExitCode::SUCCESS);
    }
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?.block_on(measure(&arguments))
}

async fn measure(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let rows: Vec<&Row> = ROWS.iter().filter(|row| arguments.wants(row)).collect();
    let names = || ROWS.iter().map(|row| row.name).collect::<Vec<_>>().join("; ");
    anyhow::ensure!(!rows.is_empty(), "--only: no row has that in its name; there are {}", names());
    let program = env::current_exe()?;
    let plan = if arguments.quick { Plan::quick(program) } else { Plan::whole(program) };
    let (started, mut shared) = (Instant::now(), Shared::default());
    let (mut lines, mut failed): (Vec<Line>, bool) = (Vec::new(), false);
    for (index, row) in rows.iter().enumerate() {
        eprintln!("[{}/{}] {}: {}", index + 1, rows.len(), row.name, row.about);
        let of_row = row.run(&plan, &mut shared).await.unwrap_or_else(|error| {
            failed = true;
            vec![Line { name: row.about.to_owned(), note: format!("**failed**: {error:#}"), ..Line::default() }]
        });
        of_row.iter().for_each(|line| eprintln!("{}", table::line(line)));
        lines.extend(of_row);
    }
    let text = format!("{}\n{}", machine::shape()?, table::table(&lines));
    println!("\n{text}");
    println!("{} s of the clock", started.elapsed().as_secs());
    if failed {
        return Ok(ExitCode::FAILURE);
    }
    if arguments.only.is_empty() && !arguments.quick {
        let page = fs::read_to_string(&arguments.page)?;
        fs::write(&arguments.page, replace_generated(&page, "bench", text.trim_end())?)?;
        println!("wrote {}", arguments.page.display());
    }
    Ok(ExitCode::SUCCESS)
}

// === impl Arguments ===

impl Arguments {
    fn wants(&self, row: &Row) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| row.name.contains(name.as_str()))
    }
}
