//! From an edit in the directory to a request that sees it.

use crate::bench::many::{FIRST, LARGE, Many, SPLIT};
use crate::bench::{Engines, Line, Machine, Plan, Spread, Used, percentile, pod};
use crate::until::{READY, within};
use crate::{DEADLINE, Pod, manifests};
use std::fs;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// In milliseconds.
const P50: f64 = 20.0;
const P99: f64 = 100.0;

/// Of each sample.
const EDITS: usize = 40;

/// Between two edits, at most; people and controllers do not edit in step with anything.
const PAUSE: Duration = Duration::from_millis(300);

/// A file that holds one route, which is renamed again and again.
const EDITED: &str = "edited.yaml";

pub async fn measure(plan: &Plan) -> anyhow::Result<Vec<Line>> {
    let engines = Engines::start(&plan.program, LARGE.pods, super::PACE)?;
    let mut lines = of(plan, &engines, LARGE, [Some(P50), Some(P99)]).await?;
    lines.extend(of(plan, &engines, SPLIT, [None, None]).await?);
    Ok(lines)
}

async fn of(plan: &Plan, engines: &Engines, many: Many, targets: [Option<f64>; 2]) -> anyhow::Result<Vec<Line>> {
    let pod = started(engines, many).await;
    let mut samples = Vec::new();
    for number in 0..plan.samples {
        let edits = if plan.quick { EDITS / 2 } else { EDITS };
        let mut tries = 0;
        let one = async || {
            tries += 1;
            sample(&pod, &format!("edited-{number}-{tries}"), edits).await
        };
        samples.push(plan.take(one, |sample| sample.others).await?);
    }
    let router = Spread::of(samples.iter().map(|sample| sample.router));
    let note = router.map(|router| format!("the router works {router} ms for each")).unwrap_or_default();
    let line = |name: &str, of: fn(&Sample) -> f64, target| Line {
        name: format!("{name} of an edit until a request sees it, {} routes in {} files", many.routes, many.files),
        unit: "ms",
        ours: Spread::of(samples.iter().map(of)),
        target,
        note: note.clone(),
        company: samples.iter().map(|sample| sample.others).fold(0.0, f64::max),
        ..Line::default()
    };
    Ok(vec![line("p50", |sample| sample.p50, targets[0]), line("p99", |sample| sample.p99, targets[1])])
}

/// A pod that serves so much.
pub async fn started(engines: &Engines, many: Many) -> Pod {
    let files = many.manifests(engines);
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let pod = pod(&files).await;
    let client = pod.client();
    within(READY, "many routes to be served", async || {
        client.try_chat(FIRST).await.ok().filter(|answer| answer.status == 200)
    })
    .await;
    pod
}

/// Milliseconds.
#[derive(Debug, Clone, Copy)]
struct Sample {
    p50: f64,
    p99: f64,
    /// Processor time of an edit, the client's requests to Envoy aside.
    router: f64,
    others: f64,
}

async fn sample(pod: &Pod, name: &str, edits: usize) -> anyhow::Result<Sample> {
    let (client, before, mut took) = (pod.client(), Machine::now()?, Vec::new());
    let used = Used::of(pod.router())?;
    for edit in 0..edits {
        sleep(PAUSE.mul_f64(fastrand::f64())).await;
        let model = format!("{name}-{edit}");
        write(pod, &manifests::route("edited", &model, &[("server-0", 100)]))?;
        let begin = Instant::now();
        // Each asks as soon as the last one was refused: a request takes a fraction of what is measured.
        while client.try_chat(&model).await?.status != 200 {
            anyhow::ensure!(begin.elapsed() < DEADLINE, "the route to {model} is not served");
        }
        took.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    let others = Machine::now()?.others_since(&before);
    let [p50, p99] = [0.5, 0.99].map(|share| percentile(&mut took, share).unwrap_or(f64::NAN));
    eprintln!("    p50 {p50:.1} ms, p99 {p99:.1} ms, others {others:.2}");
    let router = Used::of(pod.router())?.since(&used).as_secs_f64() * 1e3 / edits as f64;
    Ok(Sample { p50, p99, router, others })
}

/// As editors do: a whole file, renamed into its place.
pub fn write(pod: &Pod, text: &str) -> anyhow::Result<()> {
    let beside = pod.file(&format!(".{EDITED}.new"));
    fs::write(&beside, text)?;
    Ok(fs::rename(&beside, pod.file(EDITED))?)
}
