//! x
use std::time::{Duration, Instant};
use kthena_quality::workload::{Prefixes, Sizes};
use kthena_quality::policy::*;
use kthena_quality::*;
fn main() -> anyhow::Result<()> {
    let a: Vec<f64> = std::env::args().skip(1).map(|x| x.parse().unwrap()).collect();
    let mut e = setup::engine();
    e.capacity.prefill_rate = Some(a[0]);
    e.tpot = Duration::from_secs_f64(a[1] / 1000.0);
    e.capacity.decode_slowdown = a[2];
    e.capacity.num_gpu_blocks = Some(a[3] as u32);
    e.capacity.max_num_batched_tokens = a[4] as u32;
    e.ttft = Duration::from_secs_f64(a[5] / 1000.0);
    let engines = vec![e; 3];
    let prompts = a[6] as usize;
    let which = a[7] as u32;
    for system in [4096u32, 256] {
        if (system == 256 && which & 1 == 0) || (system == 4096 && which & 2 == 0) { continue; }
        let mk: Vec<(&str, Box<dyn Policy>)> = vec![
            ("random", Box::new(Random(3))),
            ("homes", Box::new(Homes::new(3, system))),
            ("lr-then", Box::new(Upstream::new(3, &[Score::LeastRequestThen], false))),
            ("lr-then+prefix", Box::new(Upstream::new(3, &[Score::LeastRequestThen, Score::PrefixCache], false))),
            ("gpu", Box::new(Upstream::new(3, &[Score::GpuUsage], false))),
            ("lat", Box::new(Upstream::new(3, &[Score::LeastLatency], false))),
            ("lr", Box::new(Upstream::new(3, &[Score::LeastRequest], false))),
            ("lr+prefix", Box::new(Upstream::new(3, &[Score::LeastRequest, Score::PrefixCache], false))),
            ("prefix", Box::new(Upstream::new(3, &[Score::PrefixCache], false))),
            ("helm", Box::new(Upstream::helm_default(3))),
        ];
        for (name, mut p) in mk.into_iter().take(if which & 4 != 0 { 4 } else { 99 }) {
            let t = Instant::now();
            let mut w = Prefixes::groups(256, prompts, Sizes { system, question: if system == 4096 { a[8] as u32 } else { 2048 }, answer: 256 }, 1);
            let o = run(&engines, Clients { number: 300, rate: 800.0 }, &mut w, &mut *p, 1)?;
            let mean = |v: &[Duration]| v.iter().sum::<Duration>().as_secs_f64() / v.len() as f64;
            println!("{system:5} {name:16} {:6.2} req/s lat {:6.2} ttft {:6.2} hit {:.3} imb {:.2} pre {} shed {} [{:?}]", o.throughput(), mean(&o.latency), mean(&o.ttft), o.hit_rate(), o.imbalance(), o.preemptions, o.shed, t.elapsed());
        }
    }
    Ok(())
}
