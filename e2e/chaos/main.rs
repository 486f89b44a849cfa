//! `make chaos`: breaks one thing a line under load, and says in one table what became of the requests.

mod picture;
mod table;
mod verdict;

use clap::Parser;
use kthena_e2e::chaos::{LINES, Line, MEMORY, Row, Spec, Word, run};
use kthena_e2e::replace_generated;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Breaks Envoy, the picker, engines and manifests under load, and counts what is lost.
#[derive(Parser)]
#[command(name = "kthena-chaos")]
struct Arguments {
    /// A fifth of the load, and a minute of the line `memory`, which is not judged then; nothing is written.
    #[arg(long)]
    quick: bool,

    /// Only lines with this in their name, and the calm ones that they are compared with; nothing is written then.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,

    /// How long memory is looked at.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    minutes: Option<u32>,

    /// The page with the marks between which the table goes; the picture goes to `img` beside it.
    #[arg(long, default_value = "docs/reliability.md")]
    page: PathBuf,
}

const MINUTE: Duration = Duration::from_secs(60);
/// How often there is word of a line that runs.
const WORD: u64 = 5;
const PICTURE: &str = "chaos-memory.svg";

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let lines: Vec<&Line> = LINES.iter().filter(|line| arguments.wants(line)).collect();
    anyhow::ensure!(!lines.is_empty(), "--only: no line has that in its name; there are {}", names());
    let started = Instant::now();
    let mut rows: Vec<(&Line, Row)> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        eprintln!("[{}/{}] {}: {}", index + 1, lines.len(), line.name, line.about);
        let row = run(line, arguments.spec(line), say).await;
        for example in &row.tally.examples {
            eprintln!("    lost: {example}");
        }
        rows.push((line, row));
        eprintln!("{}", table::line(line, &rows));
    }
    let table = table::table(&rows);
    let verdicts = verdict::verdicts(&rows);
    println!("\n{table}");
    verdicts.iter().for_each(|verdict| println!("{verdict}"));
    println!("\n{} s of the clock", started.elapsed().as_secs());
    if arguments.only.is_none() && !arguments.quick {
        arguments.write(&rows, &table, &verdicts)?;
    }
    Ok(if verdicts.iter().all(|verdict| verdict.met) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn say(word: Word) {
    let seconds = word.at.as_secs();
    if seconds > 0 && seconds.is_multiple_of(WORD) {
        let memory =
            word.memory.map(|sample| format!(", Envoy {:.1} MiB, router {:.1} MiB", sample.envoy, sample.router));
        let memory = memory.unwrap_or_default();
        eprintln!("    {seconds:>4} s  requests {}, not served {}{memory}", word.ended, word.not_served);
    }
}

fn names() -> String {
    LINES.iter().map(|line| line.name).collect::<Vec<_>>().join("; ")
}

// === impl Arguments ===

impl Arguments {
    fn wants(&self, line: &Line) -> bool {
        let Some(only) = &self.only else { return true };
        let named = |line: &Line| line.name.contains(only.as_str());
        named(line) || LINES.iter().any(|other| named(other) && other.against == Some(line.name))
    }

    fn spec(&self, line: &Line) -> Spec {
        let spec = match self.quick {
            false => line.spec,
            true => Spec { requests: line.spec.requests / 5, at_least: line.spec.at_least / 5, ..line.spec },
        };
        match line.name == MEMORY {
            true => {
                let minutes = self.minutes.map(|minutes| MINUTE * minutes);
                let usual = if self.quick { MINUTE } else { spec.at_least };
                Spec { at_least: minutes.unwrap_or(usual), ..spec }
            }
            false => spec,
        }
    }

    fn write(&self, rows: &[(&Line, Row)], table: &str, verdicts: &[verdict::Verdict]) -> anyhow::Result<()> {
        let mut text = table.to_owned() + "\n" + &verdict::summary(verdicts);
        if let Some((_, row)) = rows.iter().find(|(line, _)| line.name == MEMORY) {
            let pictures = self.page.with_file_name("img");
            fs::create_dir_all(&pictures)?;
            fs::write(pictures.join(PICTURE), picture::memory(&row.memory)?)?;
            text += &format!("\n![Memory of Envoy and of the router over time](img/{PICTURE})\n");
        }
        let page = fs::read_to_string(&self.page)?;
        fs::write(&self.page, replace_generated(&page, "chaos", text.trim_end())?)?;
        println!("wrote {}", self.page.display());
        Ok(())
    }
}
