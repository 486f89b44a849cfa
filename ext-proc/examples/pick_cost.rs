//! What a pick costs with decisions remembered, fed to a reader, and not at all.
//!
//! `cargo run --release -p kthena-ext-proc --example pick_cost` prints nanoseconds a pick and ratios of one run.

use kthena_core::scheduling::{Profile, Request};
use kthena_ext_proc::{Decisions, Picker, Pools, Record};
use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

const PICKS: u32 = 200_000;

fn picker(endpoints: u8, decisions: usize) -> Arc<Picker> {
    let picker = Picker::remembering(Profile::default(), decisions);
    let endpoints = (1..=endpoints).map(|i| (SocketAddr::from(([10, 0, 0, i], 8000)), format!("default/p-{i}")));
    picker.publish(Pools::new([("default/a".to_owned(), endpoints.collect::<Vec<_>>())]));
    picker
}

/// Nanoseconds a pick; a request asks, is remembered, and ends at once.
fn measure(picker: &Arc<Picker>) -> f64 {
    let start = Instant::now();
    for _ in 0..PICKS {
        let (target, model) = ("default/a".to_owned(), "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B".to_owned());
        let request = Request { target: &target, model: &model, ..Request::default() };
        let (decision, ticket) = picker.pick(&request, || fastrand::u64(..)).expect("a target");
        black_box(decision.destination());
        let request_id = "6f0c8a54-1d1e-4f0e-9a3e-2f0d6a1f7c11".to_owned();
        let (number, time, decision) = (0, SystemTime::now(), Some(decision));
        picker.decisions().remember(Record {
            number,
            time,
            request_id,
            target,
            model,
            tokens: 0,
            rationed: false,
            decision,
        });
        drop(ticket);
    }
    start.elapsed().as_nanos() as f64 / f64::from(PICKS)
}

fn main() {
    for endpoints in [2, 10, 100] {
        let (off, on, fed) =
            (picker(endpoints, 0), picker(endpoints, Decisions::DEFAULT_LIMIT), picker(endpoints, 256));
        let _reader = fed.decisions().feed();
        // In turns, the best of each: other programs share the machine.
        let best = |picker| (0..5).map(|_| measure(picker)).fold(f64::INFINITY, f64::min);
        let (off, on, fed) = (best(&off), best(&on), best(&fed));
        let ratio = |cost: f64| cost / off;
        println!(
            "{endpoints:3} endpoints: off {off:6.0} ns, on {on:6.0} ns ({:.2}x), with a live reader {fed:6.0} ns ({:.2}x)",
            ratio(on),
            ratio(fed)
        );
    }
}
