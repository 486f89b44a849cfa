//! The table: pure.

use kthena_e2e::bench::{COMPANY, Line, Spread};

const HEAD: &str = "| | Plain Envoy | Kthena | Ratio | Target | Best published router | Upstream | |\n\
                    |---|---|---|---|---|---|---|---|\n";

/// All lines, as Markdown.
pub fn table(lines: &[Line]) -> String {
    lines.iter().fold(HEAD.to_owned(), |text, line| text + &self::line(line) + "\n")
}

/// One of them.
pub fn line(line: &Line) -> String {
    let nothing = || "–".to_owned();
    let figure =
        |spread: Option<Spread>| spread.map_or_else(nothing, |spread| with_unit(&spread.to_string(), line.unit));
    let ratio = |ratio: f64| format!("{ratio:.2}x");
    let published = |at: usize| line.published.map_or_else(nothing, |both| format!("{}x", both[at]));
    let target = line.target.zip(line.met()).map_or_else(nothing, |(target, met)| {
        let target =
            if line.ratio.is_some() { format!("{target}x") } else { with_unit(&target.to_string(), line.unit) };
        format!("≤ {target}: {}", if met { "met" } else { "**missed**" })
    });
    let mut notes: Vec<String> = Some(line.note.clone()).into_iter().filter(|note| !note.is_empty()).collect();
    if line.company > COMPANY {
        notes.push(format!("**disturbed**: others kept {:.2} processors busy", line.company));
    }
    format!(
        "| {} | {} | {} | {} | {target} | {} | {} | {} |",
        line.name,
        figure(line.plain),
        figure(line.ours),
        line.ratio.map_or_else(nothing, |spread| format!(
            "{} ({}–{})",
            ratio(spread.median),
            ratio(spread.least),
            ratio(spread.most)
        )),
        published(0),
        published(1),
        notes.join("; ")
    )
}

fn with_unit(figure: &str, unit: &str) -> String {
    if unit.is_empty() { figure.to_owned() } else { format!("{figure} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_has_both_figures_the_ratio_and_what_is_to_be_held_against_it() {
        let line = Line {
            target: Some(2.4),
            published: Some([2.4, 3.2]),
            ..Line::comparing("small", "µs", &[10.0, 11.0, 12.0], &[21.0, 22.0, 24.0])
        };
        assert_eq!(
            self::line(&line),
            "| small | 11.0 (10.0–12.0) µs | 22.0 (21.0–24.0) µs | 2.00x (2.00x–2.10x) | ≤ 2.4x: met | 2.4x | 3.2x |  |"
        );
        let missed = Line { target: Some(1.5), ..line };
        assert!(self::line(&missed).contains("≤ 1.5x: **missed**"));
    }

    #[test]
    fn what_was_taken_in_company_says_so() {
        let line = Line { unit: "ms", ours: Spread::of([5.0]), target: Some(20.0), company: 1.234, ..Line::default() };
        let text = self::line(&line);
        assert!(text.contains("| 5.00 ms | – | ≤ 20 ms: met |"), "{text}");
        assert!(text.ends_with("**disturbed**: others kept 1.23 processors busy |"), "{text}");
        assert_eq!(table(&[line]).lines().count(), 3);
    }
}
