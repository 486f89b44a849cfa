//! How much longer a client waits, at a rate that leaves the machine room.

use super::requests::SMALL;
use crate::bench::{Line, Load, MODEL, Machine, Plan, Side, Sides, Spread, bodies};
use std::time::Duration;

/// Requests a second, come what may: the next one does not wait for the last one's answer.
const RATE: u32 = 200;
const CONNECTIONS: u32 = 16;

/// Short samples have too few requests for a 99th percentile.
const TIMES: u32 = 5;

#[derive(Debug, Clone, Copy)]
struct Latency {
    p50: f64,
    p99: f64,
    others: f64,
}

pub async fn measure(plan: &Plan, sides: &Sides) -> anyhow::Result<Vec<Line>> {
    let bodies = bodies(SMALL.chat, MODEL, None);
    let (mut plain, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..plan.samples {
        for (side, taken) in [(Side::Plain, &mut plain), (Side::Ours, &mut ours)] {
            let one = async || sample(sides, side, &bodies, plan.lasts * TIMES).await;
            taken.push(plan.take(one, |sample| sample.others).await?);
        }
    }
    let company = plain.iter().chain(&ours).map(|sample| sample.others).fold(0.0, f64::max);
    let line = |name: &str, of: fn(&Latency) -> f64| {
        let both = [&plain, &ours].map(|samples| samples.iter().map(of).collect::<Vec<_>>());
        let added = Spread::of(both[0].iter().zip(&both[1]).map(|(plain, ours)| ours - plain));
        let note = added.map(|added| format!("{added} ms added")).unwrap_or_default();
        let name = format!("{name} of {RATE} requests a second, 200 bytes");
        Line { note, company, ..Line::comparing(&name, "ms", &both[0], &both[1]) }
    };
    Ok(vec![line("p50", |sample| sample.p50), line("p99", |sample| sample.p99)])
}

async fn sample(sides: &Sides, side: Side, bodies: &[String], lasts: Duration) -> anyhow::Result<Latency> {
    let before = Machine::now()?;
    let load = Load { connections: CONNECTIONS, rate: Some(RATE), lasts }.start(sides.address(side), bodies)?;
    let report = load.report().await?;
    let others = Machine::now()?.others_since(&before);
    let [p50, p99] = [report.latency("p50")?, report.latency("p99")?].map(|seconds| seconds * 1e3);
    eprintln!("    {side:?}: p50 {p50:.3} ms, p99 {p99:.3} ms, others {others:.2}");
    Ok(Latency { p50, p99, others })
}
