//! Processor time for a chunk of a stream, at the pace that engines have.

use super::requests::parts;

use crate::bench::{Chat, Line, Load, MODEL, Plan, Sample, Side, Sides, Spread, Taken, Window, bodies};
use crate::until;
use std::time::Duration;

/// Streams at a time: 3,200 chunks a second.
const STREAMS: u32 = 64;

/// Longer than any window: streams that end within one would cost as requests do.
const TOKENS: u32 = 100_000;

const PROMPT: Chat = Chat { bytes: 2000, count: 64 };

pub async fn measure(about: &str, plan: &Plan, sides: &Sides) -> anyhow::Result<Vec<Line>> {
    let bodies = bodies(PROMPT, MODEL, Some(TOKENS));
    let (mut plain, mut ours) = (Taken::default(), Taken::default());
    // The router's, for a chunk, beyond what it uses while there are none.
    let mut picker = Vec::new();
    for _ in 0..plan.samples {
        for (side, taken) in [(Side::Plain, &mut plain), (Side::Ours, &mut ours)] {
            let idle = Window::of(sides, side, plan.lasts).await?;
            let sample = plan.take(async || sample(plan, sides, side, &bodies).await, |sample| sample.others).await?;
            let share = sample.took.as_secs_f64() / idle.took.as_secs_f64();
            if side == Side::Ours {
                let more = sample.router.as_secs_f64() - idle.router.as_secs_f64() * share;
                picker.push(more * 1e6 / sample.chunks as f64);
            }
            taken.add(sample);
        }
    }
    let company = plain.company.max(ours.company);
    let per_chunk = |taken: &Taken| taken.samples.iter().map(Sample::per_chunk).collect::<Vec<_>>();
    let line = Line::comparing(about, "µs", &per_chunk(&plain), &per_chunk(&ours));
    let note = parts(&ours.samples, |sample| sample.chunks);
    Ok(vec![
        Line { target: Some(1.15), published: Some([1.4, 2.1]), note, company, ..line },
        Line {
            name: "of it the router's, beyond what it uses without streams".to_owned(),
            unit: "µs",
            ours: Spread::of(picker),
            target: Some(0.05),
            note: "0 is meant; less than 0.05 is not told from it".to_owned(),
            company,
            ..Line::default()
        },
    ])
}

async fn sample(plan: &Plan, sides: &Sides, side: Side, bodies: &[String]) -> anyhow::Result<Sample> {
    let lasts = plan.lasts + Duration::from_secs(60);
    let load = Load { connections: STREAMS, rate: None, lasts }.start(sides.address(side), bodies)?;
    streaming(sides, u64::from(STREAMS)).await;
    let sample = Window::of(sides, side, plan.lasts).await?;
    drop(load);
    streaming(sides, 0).await;
    eprintln!(
        "    {side:?}: {:.2} µs a chunk (router {:.3}), {:.0} chunks/s, others {:.2}",
        sample.per_chunk(),
        sample.router.as_secs_f64() * 1e6 / sample.chunks as f64,
        sample.chunks as f64 / sample.took.as_secs_f64(),
        sample.others
    );
    Ok(sample)
}

/// Waits until so many streams go on, and each has had a chunk.
async fn streaming(sides: &Sides, streams: u64) {
    until(&format!("{streams} streams"), async || {
        sides.engines.counts().await.ok().filter(|counts| counts.streams == streams)
    })
    .await;
}
