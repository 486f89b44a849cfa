//! Whether what runs for a while serves as it did when it was fresh.

use super::requests::{CONNECTIONS, SMALL};
use crate::bench::{Engines, Line, Load, MODEL, Plan, Sample, Side, Sides, Spread, Window, bodies};
use std::time::Duration;
use tokio::time::sleep;

/// Of each side; a third of it when in a hurry.
const LASTS: Duration = Duration::from_secs(75);
const WINDOW: Duration = Duration::from_secs(4);

/// What windows of four seconds differ by anyway.
const SAME: f64 = 1.1;

pub async fn measure(plan: &Plan) -> anyhow::Result<Vec<Line>> {
    // Both are fresh.
    let sides = Sides::start(Engines::start(&plan.program, super::ENGINES, super::PACE)?).await;
    let bodies = bodies(SMALL.chat, MODEL, None);
    let lasts = if plan.quick { LASTS / 3 } else { LASTS };
    let plain = windows(&sides, Side::Plain, &bodies, lasts).await?;
    let ours = windows(&sides, Side::Ours, &bodies, lasts).await?;
    let company = plain.iter().chain(&ours).map(|sample| sample.others).fold(0.0, f64::max);
    let line = |name: &str, unit, of: fn(&Sample) -> f64, by: fn(f64, f64) -> f64| {
        let later = |samples: &[Sample]| {
            let first = samples.first().map(of)?;
            Spread::of(samples.iter().skip(1).map(|sample| by(of(sample), first)))
        };
        let shown = ours.iter().map(|sample| format!("{:.0}", of(sample))).collect::<Vec<_>>().join(" ");
        Line {
            name: format!("{name}, {} s at {CONNECTIONS} connections", lasts.as_secs()),
            unit: "x",
            plain: later(&plain),
            ours: later(&ours),
            target: Some(SAME),
            note: format!("each 4 s in {unit}: {shown}"),
            company,
            ..Line::default()
        }
    };
    Ok(vec![
        line("processor time for a request, later by the first 4 s", "µs", Sample::per_request, |later, first| {
            later / first
        }),
        line("requests a second, of the first 4 s by later", "requests/s", Sample::throughput, |later, first| {
            first / later
        }),
    ])
}

async fn windows(sides: &Sides, side: Side, bodies: &[String], lasts: Duration) -> anyhow::Result<Vec<Sample>> {
    let load =
        Load { connections: CONNECTIONS, rate: None, lasts: lasts + WINDOW }.start(sides.address(side), bodies)?;
    let mut samples = Vec::new();
    let mut window = Window::begin(sides, side).await?;
    while WINDOW * (samples.len() as u32 + 1) <= lasts {
        sleep(WINDOW).await;
        let (sample, next) = window.next().await?;
        let (each, throughput) = (sample.per_request(), sample.throughput());
        eprintln!("    {side:?}: {each:.1} µs a request, {throughput:.0} requests/s, others {:.2}", sample.others);
        samples.push(sample);
        window = next;
    }
    load.report().await?;
    Ok(samples)
}
