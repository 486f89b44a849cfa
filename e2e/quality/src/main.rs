//! `make quality`: every policy in every scenario; a table and pictures of what came of it.

use std::fs;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use kthena_quality::contender::Contender;
use kthena_quality::report::{Row, bars, lines, replace_generated, table};
use kthena_quality::scenario::Scenario;
use kthena_quality::{Figures, Outcome};

/// Routing policies side by side on a simulated fleet, in virtual time.
#[derive(Parser)]
struct Arguments {
    /// Runs of each policy, seeds 1 and on; figures are their means.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,

    /// Only scenarios with this in their title; nothing is written then.
    #[arg(long)]
    only: Option<String>,

    /// The page with the marks between which the tables go; pictures go to `img` beside it.
    #[arg(long, default_value = "docs/routing.md")]
    page: PathBuf,
}

/// A run to do.
struct Job<'a> {
    scenario: &'a Scenario,
    contender: &'a Contender,
    seed: u64,
}

/// What the pictures of herding show.
const SHOWN: Duration = Duration::from_secs(120);

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let only = arguments.only.as_deref().unwrap_or_default();
    let scenarios: Vec<Scenario> =
        Scenario::all().into_iter().filter(|scenario| scenario.title.contains(only)).collect();
    let started = Instant::now();
    let rows = run_all(&scenarios, arguments.seeds)?;
    let mut text = match arguments.seeds {
        1 => "Figures of one run each, of seed 1.\n\n".to_owned(),
        seeds => format!("Figures are means over {seeds} runs, of seeds 1 to {seeds}.\n\n"),
    };
    for (scenario, rows) in scenarios.iter().zip(&rows) {
        let section = format!("### {}\n\n{}\n\n{}\n", scenario.title, scenario.about, table(rows, scenario.adapters));
        println!("\n{section}");
        text += &section;
    }
    println!("{} s of the clock", started.elapsed().as_secs());
    if arguments.only.is_some() {
        return Ok(());
    }
    let page = fs::read_to_string(&arguments.page).with_context(|| arguments.page.display().to_string())?;
    let page = replace_generated(&page, text.trim_end())?;
    let pictures = arguments.page.with_file_name("img");
    fs::create_dir_all(&pictures)?;
    for (name, svg) in draw(&scenarios, &rows)? {
        fs::write(pictures.join(name), svg)?;
    }
    fs::write(&arguments.page, page)?;
    println!("wrote {} and the pictures in {}", arguments.page.display(), pictures.display());
    Ok(())
}

/// The rows of each scenario.
fn run_all(scenarios: &[Scenario], seeds: u64) -> anyhow::Result<Vec<Vec<Row>>> {
    let contenders = scenarios.iter().flat_map(|scenario| scenario.contenders.iter().map(move |c| (scenario, c)));
    let jobs: Vec<Job<'_>> = contenders
        .flat_map(|(scenario, contender)| (1..=seeds).map(move |seed| Job { scenario, contender, seed }))
        .collect();
    let done: Vec<Mutex<Option<anyhow::Result<Figures>>>> = jobs.iter().map(|_| Mutex::new(None)).collect();
    let turn = AtomicUsize::new(0);
    let work = || {
        while let Some((job, place)) = {
            let at = turn.fetch_add(1, Ordering::Relaxed);
            jobs.get(at).zip(done.get(at))
        } {
            let figures = job.scenario.run(job.contender, job.seed).map(|outcome| Figures::of(&outcome));
            if let Ok(figures) = &figures {
                let Figures { throughput, ttft, hit_rate, .. } = figures;
                let (title, name) = (job.scenario.title, job.contender.name);
                println!(
                    "{title}: {name} ({}): {throughput:.2} req/s, TTFT {ttft:.2} s, cached {:.1} %",
                    job.seed,
                    hit_rate * 100.0
                );
            }
            *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(figures);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(work);
        }
    });
    let mut done = done.into_iter();
    let mut figures = |contender: &Contender| -> anyhow::Result<Figures> {
        let runs = done
            .by_ref()
            .take(seeds as usize)
            .map(|run| run.into_inner().unwrap_or_else(PoisonError::into_inner).context("every job is done")?);
        Ok(Figures::mean(&runs.collect::<anyhow::Result<Vec<_>>>().context(contender.name)?))
    };
    let mut all = Vec::new();
    for scenario in scenarios {
        let mut rows = Vec::new();
        for contender in &scenario.contenders {
            let (name, published) = (contender.name, (scenario.published)(contender.name));
            rows.push(Row { name, figures: figures(contender)?, published });
        }
        all.push(rows);
    }
    Ok(all)
}

/// The pictures by their file names.
fn draw(scenarios: &[Scenario], rows: &[Vec<Row>]) -> anyhow::Result<Vec<(&'static str, String)>> {
    let mut pictures = Vec::new();
    for ((scenario, rows), name) in scenarios.iter().zip(rows).zip(["quality-long.svg", "quality-short.svg"]) {
        pictures.push((name, bars(scenario.title, rows)?));
    }
    let long = scenarios.first().context("there are scenarios")?;
    let contenders = [Contender::UPSTREAM_LATENCY, Contender::OUR_DEFAULT];
    let outcomes =
        contenders.iter().map(|contender| long.run(contender, 1)).collect::<anyhow::Result<Vec<Outcome>>>()?;
    let policies: Vec<_> = contenders.iter().map(|contender| contender.name).zip(&outcomes).collect();
    pictures.push(("quality-herding.svg", lines("Requests in flight at each engine", SHOWN, &policies)?));
    Ok(pictures)
}
