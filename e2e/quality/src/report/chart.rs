//! Pictures: SVG on a white ground, so that they read the same on light pages and dark ones.

use std::fmt::Debug;
use std::time::Duration;

use anyhow::anyhow;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::Row;
use crate::outcome::Outcome;

const SIZE: (u32, u32) = (1000, 420);
const GREY: RGBColor = RGBColor(150, 150, 150);
const BLUE: RGBColor = RGBColor(70, 120, 180);
const GREEN: RGBColor = RGBColor(40, 150, 90);
const INK: RGBColor = RGBColor(40, 40, 40);
/// One for each engine; more engines begin again.
const ENGINES: [RGBColor; 4] = [BLUE, RGBColor(210, 110, 40), GREEN, RGBColor(150, 80, 160)];

/// Throughput and mean TTFT of each row side by side; a short line marks what was published.
///
/// # Errors
///
/// Drawing failed, as on a value that is no number.
pub fn bars(title: &str, rows: &[Row]) -> anyhow::Result<String> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE).map_err(drawing)?;
        let root = root.titled(title, ("sans-serif", 20).into_font().color(&INK)).map_err(drawing)?;
        let (left, right) = root.split_horizontally(620);
        panel(
            &left,
            "requests a second",
            300,
            rows,
            |row| row.figures.throughput,
            |row| row.published.map(|row| row.throughput),
        )?;
        panel(
            &right,
            "mean time to first token, seconds",
            10,
            rows,
            |row| row.figures.ttft,
            |row| row.published.map(|row| row.ttft),
        )?;
        root.present().map_err(drawing)?;
    }
    Ok(svg)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Bars from left to right, the first row on top, their names in a margin of so many pixels; none if it is narrow.
fn panel(
    area: &Area<'_>,
    what: &str,
    margin: u32,
    rows: &[Row],
    value: impl Fn(&Row) -> f64,
    published: impl Fn(&Row) -> Option<f64>,
) -> anyhow::Result<()> {
    let most = rows.iter().flat_map(|row| [value(row), published(row).unwrap_or(0.0)]).fold(0.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .x_label_area_size(40)
        .y_label_area_size(margin)
        .build_cartesian_2d(0.0..most.max(0.001) * 1.15, 0.0..rows.len().max(1) as f64)
        .map_err(drawing)?;
    let font = ("sans-serif", 13).into_font().color(&INK);
    let (name, figure) = (Pos::new(HPos::Right, VPos::Center), Pos::new(HPos::Left, VPos::Center));
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .x_desc(what)
        .label_style(font.clone())
        .max_light_lines(0)
        .draw()
        .map_err(drawing)?;
    for (place, row) in rows.iter().rev().enumerate() {
        let (from, to, middle) = (place as f64 + 0.1, place as f64 + 0.9, place as f64 + 0.5);
        let bar = Rectangle::new([(0.0, from), (value(row), to)], colour(row.name).filled());
        chart.draw_series([bar]).map_err(drawing)?;
        let text = Text::new(format!(" {:.2}", value(row)), (value(row), middle), font.pos(figure));
        chart.draw_series([text]).map_err(drawing)?;
        if let Some(published) = published(row) {
            let mark = PathElement::new(vec![(published, from), (published, to)], INK.stroke_width(2));
            chart.draw_series([mark]).map_err(drawing)?;
        }
        if margin > 100 {
            let (x, y) = chart.backend_coord(&(0.0, middle));
            let base = area.get_base_pixel();
            area.draw(&Text::new(row.name, (x - base.0 - 8, y - base.1), font.pos(name))).map_err(drawing)?;
        }
    }
    Ok(())
}

fn colour(name: &str) -> RGBColor {
    match name {
        name if name.starts_with("ours") => GREEN,
        name if name.starts_with("upstream") => BLUE,
        _ => GREY,
    }
}

/// Requests in flight at each engine over time, a panel a policy.
///
/// # Errors
///
/// As [`bars`].
pub fn lines(title: &str, time: Duration, policies: &[(&str, &Outcome)]) -> anyhow::Result<String> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE).map_err(drawing)?;
        let root = root.titled(title, ("sans-serif", 20).into_font().color(&INK)).map_err(drawing)?;
        let seconds = time.as_secs_f64();
        let most = policies.iter().flat_map(|(_, outcome)| outcome.in_flight.iter().flatten()).max();
        let most = f64::from(most.copied().unwrap_or(1)) * 1.05;
        for (area, (name, outcome)) in root.split_evenly((policies.len().max(1), 1)).iter().zip(policies) {
            let mut chart = ChartBuilder::on(area)
                .margin(8)
                .caption(name, ("sans-serif", 15).into_font().color(&INK))
                .x_label_area_size(36)
                .y_label_area_size(50)
                .build_cartesian_2d(0.0..seconds, 0.0..most)
                .map_err(drawing)?;
            chart
                .configure_mesh()
                .disable_x_mesh()
                .y_labels(4)
                .x_desc("seconds")
                .y_desc("in flight")
                .label_style(("sans-serif", 13).into_font().color(&INK))
                .max_light_lines(0)
                .draw()
                .map_err(drawing)?;
            let engines = outcome.in_flight.first().map_or(0, Vec::len);
            for (engine, colour) in (0..engines).zip(ENGINES.iter().cycle()) {
                let samples = (0_u32..).map(|sample| (Outcome::SAMPLE * sample).as_secs_f64()).zip(&outcome.in_flight);
                let points = samples
                    .take_while(|(at, _)| *at <= seconds)
                    .filter_map(|(at, sample)| Some((at, f64::from(*sample.get(engine)?))));
                chart.draw_series(LineSeries::new(points, colour.stroke_width(1))).map_err(drawing)?;
            }
        }
        root.present().map_err(drawing)?;
    }
    Ok(svg)
}

/// The library's errors hold what is no longer there when they are told.
fn drawing(error: impl Debug) -> anyhow::Error {
    anyhow!("drawing failed: {error:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Figures;

    #[test]
    fn every_policy_has_its_name_and_its_figures_in_the_picture() {
        let row = |name, throughput| Row {
            name,
            figures: Figures { throughput, ttft: 1.25, ..Figures::default() },
            published: None,
        };
        let svg = bars("A title", &[row("random", 2.5), row("ours: x", 7.5), row("upstream: y", 3.0)]).expect("bars");
        for text in ["A title", "random", "ours: x", "upstream: y", "2.50", "7.50", "1.25"] {
            assert!(svg.contains(text), "{text} is missing");
        }
        assert!(svg.len() < 40_000, "{} bytes", svg.len());
    }

    #[test]
    fn engines_are_drawn_over_time() {
        let outcome = Outcome { in_flight: vec![vec![1, 2], vec![3, 4]], ..Outcome::default() };
        let svg = lines("A title", Duration::from_secs(1), &[("one", &outcome), ("other", &outcome)]).expect("lines");
        assert!(svg.contains("one") && svg.contains("other"));
        for colour in ["#4678B4", "#D26E28"] {
            assert_eq!(svg.matches(colour).count(), 2, "a line of {colour} in each panel");
        }
    }
}
