//! Memory over time: SVG on a white ground, so that it reads the same on light pages and dark ones.

use anyhow::anyhow;
use kthena_e2e::chaos::{Memory, Sample};
use plotters::prelude::*;
use std::fmt::Debug;

const SIZE: (u32, u32) = (1000, 360);
const INK: RGBColor = RGBColor(40, 40, 40);
const ENVOY: RGBColor = RGBColor(70, 120, 180);
const ROUTER: RGBColor = RGBColor(40, 150, 90);

/// # Errors
/// Drawing failed.
pub fn memory(memory: &Memory) -> anyhow::Result<String> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE).map_err(drawing)?;
        let minutes = |sample: &Sample| sample.at.as_secs_f64() / 60.0;
        let last = memory.0.last().map_or(1.0, minutes).max(0.1);
        let most = memory.0.iter().map(|sample| sample.envoy.max(sample.router)).fold(1.0, f64::max) * 1.1;
        let font = ("sans-serif", 13).into_font().color(&INK);
        let mut chart = ChartBuilder::on(&root)
            .margin(8)
            .caption("Memory under load, MiB", ("sans-serif", 18).into_font().color(&INK))
            .x_label_area_size(36)
            .y_label_area_size(50)
            .build_cartesian_2d(0.0..last, 0.0..most)
            .map_err(drawing)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_desc("minutes")
            .label_style(font.clone())
            .max_light_lines(0)
            .draw()
            .map_err(drawing)?;
        for (name, colour) in [("Envoy", ENVOY), ("router", ROUTER)] {
            let of = |sample: &Sample| if name == "Envoy" { sample.envoy } else { sample.router };
            let points = memory.0.iter().map(|sample| (minutes(sample), of(sample)));
            chart
                .draw_series(LineSeries::new(points, colour.stroke_width(2)))
                .map_err(drawing)?
                .label(name)
                .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 16, y)], colour.stroke_width(2)));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::MiddleRight)
            .label_font(font)
            .draw()
            .map_err(drawing)?;
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
    use std::time::Duration;

    #[test]
    fn both_processes_have_a_line_and_a_name() {
        let sample = |second| Sample { at: Duration::from_secs(second), envoy: 90.0, router: 30.0 };
        let svg = self::memory(&Memory((0..600).map(sample).collect())).unwrap();
        for text in ["Envoy", "router", "minutes", "#4678B4", "#28965A"] {
            assert!(svg.contains(text), "{text} is missing");
        }
        assert!(svg.len() < 60_000, "{} bytes", svg.len());
    }
}
