//! Processor time for a request, by the size of its body.

use crate::bench::{Chat, Line, Load, MODEL, Plan, Sample, Side, Sides, Taken, Window, bodies};
use std::time::Duration;
use tokio::time::sleep;

/// Chats of one size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Requests {
    pub chat: Chat,
    target: Option<f64>,
    published: Option<[f64; 2]>,
}

/// So many different ones that most of them are seen again, and few at once.
pub const SMALL: Requests =
    Requests { chat: Chat { bytes: 200, count: 2000 }, target: Some(2.4), published: Some([2.4, 3.2]) };
pub const MEDIUM: Requests = Requests { chat: Chat { bytes: 20 << 10, count: 400 }, target: None, published: None };
pub const LARGE: Requests =
    Requests { chat: Chat { bytes: 220 << 10, count: 60 }, target: Some(1.6), published: Some([4.3, 18.0]) };

/// Requests at a time.
pub const CONNECTIONS: u32 = 64;

/// What comes before a window: connections, and what is allocated once.
pub const WARM: Duration = Duration::from_secs(1);

// === impl Requests ===

impl Requests {
    pub async fn measure(self, about: &str, plan: &Plan, sides: &Sides) -> anyhow::Result<Vec<Line>> {
        let bodies = bodies(self.chat, MODEL, None);
        let (mut plain, mut ours) = (Taken::default(), Taken::default());
        for _ in 0..plan.samples {
            for (side, taken) in [(Side::Plain, &mut plain), (Side::Ours, &mut ours)] {
                taken.add(plan.take(async || sample(plan, sides, side, &bodies).await, |sample| sample.others).await?);
            }
        }
        let per_request = |taken: &Taken| taken.samples.iter().map(Sample::per_request).collect::<Vec<_>>();
        let line = Line::comparing(about, "µs", &per_request(&plain), &per_request(&ours));
        let throughput = |taken: &Taken| taken.samples.iter().map(Sample::throughput).collect::<Vec<_>>();
        let company = plain.company.max(ours.company);
        let most = Line::comparing(
            "as many requests as this machine serves",
            "a second",
            &throughput(&plain),
            &throughput(&ours),
        );
        let line = Line {
            target: self.target,
            published: self.published,
            note: parts(&ours.samples, |sample| sample.requests),
            company,
            ..line
        };
        let note = format!("{CONNECTIONS} connections; the load generator and the engines are on the same processors");
        Ok(vec![line, Line { note, company, ..most }])
    }
}

/// Which part of our side used how much for each of something.
pub fn parts(samples: &[Sample], of: impl Fn(&Sample) -> u64) -> String {
    let each = |part: fn(&Sample) -> Duration| {
        crate::bench::Spread::of(samples.iter().map(|sample| part(sample).as_secs_f64() * 1e6 / of(sample) as f64))
    };
    match each(|sample| sample.envoy).zip(each(|sample| sample.router)) {
        Some((envoy, router)) => format!("Envoy {:.1}, router {:.2}", envoy.median, router.median),
        None => String::new(),
    }
}

/// Each connection asks again when it has its answer: so as many requests as the machine serves.
async fn sample(plan: &Plan, sides: &Sides, side: Side, bodies: &[String]) -> anyhow::Result<Sample> {
    let lasts = WARM + plan.lasts + WARM;
    let load = Load { connections: CONNECTIONS, rate: None, lasts }.start(sides.address(side), bodies)?;
    sleep(WARM).await;
    let sample = Window::of(sides, side, plan.lasts).await?;
    load.report().await?;
    eprintln!(
        "    {side:?}: {:.1} µs a request, {:.0} requests/s, others {:.2}",
        sample.per_request(),
        sample.throughput(),
        sample.others
    );
    Ok(sample)
}
