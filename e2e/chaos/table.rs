//! The table: pure.

use kthena_e2e::chaos::{Line, Row};
use std::time::Duration;

const HEAD: &str = "| Line | What is broken | Requests | Served | Retried elsewhere | Ended with an error | Lost | TTFT p50 | TTFT p99 |\n\
                    |---|---|---|---|---|---|---|---|---|\n";

/// All lines so far, as Markdown.
pub fn table(rows: &[(&Line, Row)]) -> String {
    rows.iter().fold(HEAD.to_owned(), |text, (line, _)| text + &self::line(line, rows) + "\n")
}

/// One of them.
pub fn line(line: &Line, rows: &[(&Line, Row)]) -> String {
    let of = |name: &str| rows.iter().find(|(line, _)| line.name == name).map(|(_, row)| row);
    let Some(row) = of(line.name) else { return String::new() };
    let calm = line.against.and_then(of);
    let time = |share: f64| {
        let calm = calm.map(|calm| calm.tally.ttft(share));
        time(row.tally.ttft(share), calm)
    };
    let tally = &row.tally;
    let [requests, served, retried, ended, lost] =
        [tally.requests(), tally.served, row.retried, tally.ended, tally.lost()].map(grouped);
    format!(
        "| {} | {} | {requests} | {served} | {retried} | {ended} | {lost} | {} | {} |",
        line.name,
        line.about,
        time(0.5),
        time(0.99)
    )
}

/// Milliseconds, or how many times the calm line's they are.
fn time(time: Option<Duration>, calm: Option<Option<Duration>>) -> String {
    match (time, calm) {
        (None, _) | (_, Some(None)) => "–".to_owned(),
        (Some(time), None) => format!("{} ms", time.as_millis()),
        (Some(time), Some(Some(calm))) => format!("{:.1} x", time.as_secs_f64() / calm.as_secs_f64().max(1e-6)),
    }
}

/// With a comma before every three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use kthena_e2e::chaos::{CALM, Outcome};

    #[test]
    fn times_are_told_as_ratios_to_the_calm_line() {
        let row = |ms| {
            let mut row = Row::default();
            (0..1234).for_each(|_| row.tally.add(Outcome::Served(Some(Duration::from_millis(ms)))));
            row.tally.add(Outcome::Refused(503, String::new()));
            row
        };
        let (calm, killed) = (Line::named(CALM), Line::named("picker killed"));
        let rows = [(calm, row(20)), (killed, row(30))];
        assert_eq!(line(calm, &rows), "| calm | nothing | 1,235 | 1,234 | 0 | 0 | 1 | 20 ms | 20 ms |");
        assert!(line(killed, &rows).ends_with("| 1,235 | 1,234 | 0 | 0 | 1 | 1.5 x | 1.5 x |"));
        assert_eq!(table(&rows).lines().count(), 4);
    }

    #[test]
    fn digits_are_grouped_in_threes() {
        assert_eq!([0, 999, 1000, 50_000, 1_234_567].map(grouped), ["0", "999", "1,000", "50,000", "1,234,567"]);
    }
}
