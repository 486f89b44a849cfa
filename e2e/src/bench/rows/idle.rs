//! What it costs to be there.

use crate::bench::{Engines, Line, Plan, Sample, Side, Sides, Window};
use std::time::Duration;

/// All are asked for their metrics every second, 63 KB each.
const PODS: usize = 100;

/// Of a processor.
const TARGET: f64 = 0.05;

pub async fn measure(plan: &Plan) -> anyhow::Result<Vec<Line>> {
    let sides = Sides::start(Engines::start(&plan.program, PODS, super::PACE)?).await;
    let (mut plain, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..plan.samples {
        for (side, taken) in [(Side::Plain, &mut plain), (Side::Ours, &mut ours)] {
            let one = async || Window::of(&sides, side, plan.lasts * 2).await;
            let sample = plan.take(one, |sample: &Sample| sample.others).await?;
            eprintln!("    {side:?}: {:.4} processors, others {:.2}", cores(sample.cpu(), &sample), sample.others);
            taken.push(sample);
        }
    }
    let company = plain.iter().chain(&ours).map(|sample| sample.others).fold(0.0, f64::max);
    let all = |samples: &[Sample]| samples.iter().map(|sample| cores(sample.cpu(), sample)).collect::<Vec<_>>();
    let router: f64 = ours.iter().map(|sample| cores(sample.router, sample)).sum::<f64>() / ours.len() as f64;
    Ok(vec![Line {
        // Nobody asks for a ratio to next to nothing.
        ratio: None,
        target: Some(TARGET),
        note: format!("of it the router {router:.4}, which asks each pod for its metrics every second"),
        company,
        ..Line::comparing(&format!("processors used without requests, {PODS} pods"), "", &all(&plain), &all(&ours))
    }])
}

fn cores(used: Duration, sample: &Sample) -> f64 {
    used.as_secs_f64() / sample.took.as_secs_f64()
}
