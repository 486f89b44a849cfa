//! From the start of the process to the first request that is served.

use crate::bench::many::{FEW, FIRST, LARGE, Many};
use crate::bench::{Engines, Line, Machine, Plan, Spread};
use crate::{Client, Setup, until};
use std::time::{Duration, Instant};

/// In seconds.
const TARGET: f64 = 1.0;

pub async fn measure(plan: &Plan) -> anyhow::Result<Vec<Line>> {
    let engines = Engines::start(&plan.program, LARGE.pods, super::PACE)?;
    Ok(vec![of(plan, &engines, FEW).await?, of(plan, &engines, LARGE).await?])
}

async fn of(plan: &Plan, engines: &Engines, many: Many) -> anyhow::Result<Line> {
    let manifests = many.manifests(engines);
    let mut taken: Vec<(Duration, f64)> = Vec::new();
    for _ in 0..plan.samples {
        taken.push(plan.take(async || start(&manifests).await, |(_, others)| *others).await?);
    }
    Ok(Line {
        name: format!("start of `kthena up` to a first request served, {} routes, {} pods", many.routes, many.pods),
        unit: "s",
        ours: Spread::of(taken.iter().map(|(took, _)| took.as_secs_f64())),
        target: Some(TARGET),
        company: taken.iter().map(|(_, others)| *others).fold(0.0, f64::max),
        ..Line::default()
    })
}

async fn start(manifests: &[(String, String)]) -> anyhow::Result<(Duration, f64)> {
    let files: Vec<_> = manifests.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let setup = Setup::new(&files);
    let client = Client::new(setup.address().at(8080));
    let (before, begin) = (Machine::now()?, Instant::now());
    let up = tokio::task::spawn_blocking(|| setup.up());
    until("a first request to be served", async || {
        client.try_chat(FIRST).await.ok().filter(|answer| answer.status == 200)
    })
    .await;
    let took = begin.elapsed();
    let others = Machine::now()?.others_since(&before);
    eprintln!("    {:.3} s, others {others:.2}", took.as_secs_f64());
    let kthena = up.await?;
    // It waits for processes.
    tokio::task::spawn_blocking(|| drop(kthena)).await?;
    Ok((took, others))
}
