//! A table in Markdown.

use super::Row;

type Cell<'a> = Box<dyn Fn(&Row) -> String + 'a>;

/// A line a policy; the first one is what the others are compared to. Columns that are nothing but zeros are left
/// out, as are the published ones where there are none.
pub fn table(rows: &[Row], adapters: bool) -> String {
    let base = rows.first().map_or(0.0, |row| row.figures.throughput);
    let base_ttft = rows.first().map_or(0.0, |row| row.figures.ttft);
    let mut columns: Vec<(&str, Cell<'_>)> = vec![
        ("Policy", Box::new(|row| row.name.to_owned())),
        ("req/s", Box::new(|row| format!("{:.2}", row.figures.throughput))),
        ("to random", Box::new(move |row| format!("{:.2}x", row.figures.throughput / base))),
        ("TTFT mean, s", Box::new(|row| format!("{:.2}", row.figures.ttft))),
        ("to random", Box::new(move |row| format!("{:+.0} %", (row.figures.ttft / base_ttft - 1.0) * 100.0))),
        ("p50", Box::new(|row| format!("{:.2}", row.figures.ttft_p50))),
        ("p99", Box::new(|row| format!("{:.2}", row.figures.ttft_p99))),
        ("latency, s", Box::new(|row| format!("{:.2}", row.figures.latency))),
        ("cached", Box::new(|row| format!("{:.1} %", row.figures.hit_rate * 100.0))),
        ("imbalance", Box::new(|row| format!("{:.2}", row.figures.imbalance))),
    ];
    if adapters {
        columns.push(("adapter loads", Box::new(|row| format!("{:.0}", row.figures.adapter_loads))));
    }
    if rows.iter().any(|row| row.figures.preemptions > 0.0) {
        columns.push(("preempted", Box::new(|row| format!("{:.0}", row.figures.preemptions))));
    }
    if rows.iter().any(|row| row.figures.shed > 0.0) {
        columns.push(("429", Box::new(|row| format!("{:.0}", row.figures.shed))));
    }
    if rows.iter().any(|row| row.published.is_some()) {
        let published = |row: &Row| {
            row.published.map(|row| format!("{:.2} / {:.2} / {:.2}", row.throughput, row.latency, row.ttft))
        };
        columns.push(("published: req/s, latency, TTFT", Box::new(move |row| published(row).unwrap_or_default())));
    }
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(columns.iter().map(|(head, _)| (*head).to_owned()).collect());
    let rule = |(index, _)| if index == 0 { "---".to_owned() } else { "---:".to_owned() };
    text += &line(columns.iter().enumerate().map(rule).collect());
    for row in rows {
        text += &line(columns.iter().map(|(_, cell)| cell(row)).collect());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Figures;
    use crate::setup::published_long;

    fn row(name: &'static str, throughput: f64) -> Row {
        Row { name, figures: Figures { throughput, ttft: 2.0, ..Figures::default() }, published: None }
    }

    #[test]
    fn rows_are_compared_to_the_first_and_columns_of_zeros_are_left_out() {
        let text = table(&[row("random", 2.0), row("other", 3.0)], false);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].ends_with("| cached | imbalance |"), "{}", lines[0]);
        assert!(lines[3].starts_with("| other | 3.00 | 1.50x | 2.00 | +0 % |"), "{}", lines[3]);
    }

    #[test]
    fn what_was_published_stands_beside_it() {
        let random = Row { published: published_long("random"), ..row("random", 2.0) };
        let text = table(&[random, row("other", 3.0)], true);
        assert!(text.contains("| adapter loads | published: req/s, latency, TTFT |"), "{text}");
        assert!(text.contains("| 11.81 / 25.23 / 2.15 |"), "{text}");
        assert!(text.ends_with("|  |\n"), "{text}");
    }
}
