//! How long a decision takes: `cargo bench -p kthena-core --bench decision`.
//!
//! Every pick is timed by itself, as the slowest of a hundred is what matters. A pick is all that happens under the
//! picker's lock: filters, scores, order, counting the request, and taking its prompt for the endpoint's.

#[path = "cases/decision.rs"]
mod decision;
#[path = "cases/prefix.rs"]
#[allow(dead_code)]
mod prefix;

use decision::{NOW, SHARED, TARGET, chat, fleet, random};
use kthena_core::fleet::Ended;
use kthena_core::scheduling::{Profile, Request};
use std::hint::black_box;
use std::time::{Duration, Instant};

const PICKS: u64 = 20_000;

fn main() {
    println!("{:<52} {:>9} {:>9} {:>9}", "microseconds a pick", "median", "p99", "p99.9");
    for endpoints in [100, 1000] {
        for (what, hashes, fresh) in [
            ("no prompt", 0, false),
            ("8 KiB prompt that some endpoint has", 128, false),
            ("8 KiB prompt that is new but for its beginning", 128, true),
            ("1 MB prompt that some endpoint has", 384, false),
        ] {
            let times = measure(endpoints, hashes, fresh);
            let at = |share: f64| times[(times.len() as f64 * share) as usize].as_nanos() as f64 / 1000.0;
            println!(
                "{:<52} {:9.2} {:9.2} {:9.2}",
                format!("{endpoints} endpoints, {what}"),
                at(0.5),
                at(0.99),
                at(0.999)
            );
        }
    }
}

/// The time of each pick, sorted; every request ends at once.
fn measure(endpoints: u32, hashes: usize, fresh: bool) -> Vec<Duration> {
    let (mut fleet, profile, mut seed) = (fleet(endpoints), Profile::default(), 3);
    let known: Vec<_> =
        (0..64).map(|number| if hashes > SHARED { chat(1 << 20 | number, hashes) } else { vec![] }).collect();
    let mut times = Vec::new();
    for number in 0..PICKS {
        let new = (fresh && hashes > SHARED).then(|| chat(1 << 30 | number, hashes));
        let prefix = new.as_ref().unwrap_or(&known[number as usize % known.len()]);
        let request = Request { target: TARGET, model: "model", tokens: 2000, prefix };
        let now = NOW + Duration::from_millis(number);
        let start = Instant::now();
        let pick = fleet.pick(&profile, black_box(&request), Some(number), now, &mut || random(&mut seed), &mut |_| ());
        times.push(start.elapsed());
        // It ends, and the access log tells so: what is remembered of requests under way stays as small as it is.
        let pick = black_box(pick).expect("the target is published");
        let address = pick.decision.addresses().next().cloned().expect("somebody is picked");
        if let Some(dispatch) = pick.dispatch {
            fleet.end(dispatch);
        }
        fleet.completed(&Ended { key: Some(number), address: Some(&address), status: 200, ..Ended::default() }, now);
    }
    times.sort_unstable();
    times
}
