//! Whether targets were met: pure.

use crate::table::grouped;
use kthena_e2e::chaos::{Line, MEMORY, Row, Sample};
use std::fmt;

/// One target.
#[derive(Debug)]
pub struct Verdict {
    /// Whether it was met.
    pub met: bool,
    /// What it is, and what was seen.
    text: String,
}

/// In MiB a minute: an hour of it would be what a container has to spare. What is smaller is not told from noise in
/// ten minutes.
const FLAT: f64 = 0.5;

/// Of all lines that have one.
pub fn verdicts(rows: &[(&Line, Row)]) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> = rows.iter().filter_map(|(line, row)| lost(line, row)).collect();
    if let Some((_, row)) = rows.iter().find(|(line, _)| line.name == MEMORY) {
        verdicts.push(flat("Envoy", row, |sample| sample.envoy));
        verdicts.push(flat("the router", row, |sample| sample.router));
    }
    verdicts
}

fn lost(line: &Line, row: &Row) -> Option<Verdict> {
    let (target, requests, lost) = (line.target?, row.tally.requests(), row.tally.lost());
    let met = lost as f64 <= requests as f64 * target && row.tally.served > 0;
    let may = match target {
        0.0 => "none".to_owned(),
        share => format!("{} %", share * 100.0),
    };
    let text = format!("{}: {} lost of {}, and {may} may be", line.name, grouped(lost), grouped(requests));
    Some(Verdict { met, text })
}

fn flat(whose: &str, row: &Row, of: fn(&Sample) -> f64) -> Verdict {
    let (slope, ends) = (row.memory.slope(of), row.memory.middle_and_end(of));
    let Some((slope, (middle, end))) = slope.zip(ends) else {
        return Verdict { met: false, text: format!("memory of {whose}: too few samples") };
    };
    let text = format!(
        "memory of {whose}: {middle:.1} MiB in the middle and {end:.1} MiB at the end of {} s, {slope:+.2} MiB a minute in the \
         second half, and {FLAT} may be",
        row.took.as_secs()
    );
    Verdict { met: slope <= FLAT, text }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", if self.met { "met" } else { "**missed**" }, self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kthena_e2e::chaos::{Memory, Outcome};
    use std::time::Duration;

    fn row(served: u32, lost: u32) -> Row {
        let mut row = Row::default();
        (0..served).for_each(|_| row.tally.add(Outcome::Served(None)));
        (0..lost).for_each(|_| row.tally.add(Outcome::CutSilently));
        row
    }

    #[test]
    fn a_share_may_be_lost_where_the_target_says_so_and_no_request_elsewhere() {
        let (killed, failing) = (Line::named("engine killed"), Line::named("2,000 streams, engines failing"));
        let met = |line: &Line, row| lost(line, &row).unwrap().met;
        assert!(met(killed, row(10_000, 0)) && !met(killed, row(10_000, 1)));
        assert!(met(failing, row(20_000, 2)) && !met(failing, row(20_000, 3)));
        assert!(!met(killed, row(0, 0)), "nothing was seen");
    }

    #[test]
    fn memory_that_grows_misses_its_target() {
        let samples = (0..600_u32).map(|second| Sample {
            at: Duration::from_secs(second.into()),
            envoy: 100.0,
            router: 30.0 + f64::from(second) / 60.0,
        });
        let row = Row { memory: Memory(samples.collect()), ..row(1, 0) };
        let verdicts = verdicts(&[(Line::named(MEMORY), row)]);
        assert_eq!(verdicts.iter().map(|verdict| verdict.met).collect::<Vec<_>>(), [true, true, false]);
        assert!(verdicts[2].to_string().contains("+1.00 MiB a minute"), "{}", verdicts[2]);
    }
}
