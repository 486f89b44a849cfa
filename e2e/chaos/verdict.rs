//! Whether targets were met: pure.

use crate::table::grouped;
use kthena_e2e::chaos::{Line, MEMORY, Row, Sample};
use std::fmt;
use std::time::Duration;

/// One target.
#[derive(Debug)]
pub struct Verdict {
    /// Whether it was met.
    pub met: bool,
    /// What it is, and what was seen.
    text: String,
    /// Whether the table shows it too.
    is_in_table: bool,
}

/// In MiB a minute: an hour of it would be what a container has to spare. What is smaller is not told from noise in
/// ten minutes.
const FLAT: f64 = 0.5;

/// In less time, pools and caches still fill.
const JUDGED: Duration = Duration::from_secs(300);

/// Of all lines that have one.
pub fn verdicts(rows: &[(&Line, Row)]) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> = rows.iter().filter_map(|(line, row)| lost(line, row)).collect();
    let long = |row: &Row| row.took >= JUDGED;
    if let Some((_, row)) = rows.iter().find(|(line, row)| line.name == MEMORY && long(row)) {
        verdicts.push(flat("Envoy", row, |sample| sample.envoy));
        verdicts.push(flat("the router", row, |sample| sample.router));
    }
    verdicts
}

/// As a page has them: how many were met, those that were missed, and what the table does not show.
pub fn summary(verdicts: &[Verdict]) -> String {
    let met = verdicts.iter().filter(|verdict| verdict.met).count();
    let told = verdicts.iter().filter(|verdict| !verdict.met || !verdict.is_in_table);
    told.fold(format!("Targets met: {met} of {}.\n\n", verdicts.len()), |text, verdict| {
        text + &format!("- {verdict}\n")
    })
}

fn lost(line: &Line, row: &Row) -> Option<Verdict> {
    let (target, requests, lost) = (line.target?, row.tally.requests(), row.tally.lost());
    let met = lost as f64 <= requests as f64 * target && row.tally.served > 0;
    let may = match target {
        0.0 => "none".to_owned(),
        share => format!("{} %", share * 100.0),
    };
    let text = format!("{}: {} lost of {}, and {may} may be", line.name, grouped(lost), grouped(requests));
    Some(Verdict { met, text, is_in_table: true })
}

fn flat(whose: &str, row: &Row, of: fn(&Sample) -> f64) -> Verdict {
    let (slope, ends) = (row.memory.slope(of), row.memory.middle_and_end(of));
    let Some((slope, (middle, end))) = slope.zip(ends) else {
        return Verdict { met: false, text: format!("memory of {whose}: too few samples"), is_in_table: false };
    };
    let text = format!(
        "memory of {whose}: {middle:.1} MiB in the middle and {end:.1} MiB at the end of {} s, {slope:+.2} MiB a minute in the \
         second half, and {FLAT} may be",
        row.took.as_secs()
    );
    Verdict { met: slope <= FLAT, text, is_in_table: false }
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
        let row = Row { memory: Memory(samples.collect()), took: Duration::from_secs(600), ..row(1, 0) };
        let short = Row { took: Duration::from_secs(60), ..row.clone() };
        assert_eq!(self::verdicts(&[(Line::named(MEMORY), short)]).len(), 1, "too short to be judged");
        let verdicts = verdicts(&[(Line::named(MEMORY), row)]);
        let summary = summary(&verdicts);
        assert!(summary.starts_with("Targets met: 2 of 3.\n\n- met: memory of Envoy"), "{summary}");
        assert_eq!(summary.matches("missed").count(), 1, "{summary}");
        assert_eq!(verdicts.iter().map(|verdict| verdict.met).collect::<Vec<_>>(), [true, true, false]);
        assert!(verdicts[2].to_string().contains("+1.00 MiB a minute"), "{}", verdicts[2]);
    }
}
