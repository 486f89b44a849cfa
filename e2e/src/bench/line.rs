//! A line of the table.

use super::Spread;

/// What was measured of one thing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Line {
    /// What was measured.
    pub name: String,
    /// The unit of the figures of both sides.
    pub unit: &'static str,
    /// Plain Envoy's, where there is such a thing.
    pub plain: Option<Spread>,
    /// Ours.
    pub ours: Option<Spread>,
    /// Ours by plain Envoy's, of samples that followed each other.
    pub ratio: Option<Spread>,
    /// The most that the ratio may be, or our figure where there is none.
    pub target: Option<f64>,
    /// The best published router's ratio, and upstream's.
    pub published: Option<[f64; 2]>,
    /// What else there is to say.
    pub note: String,
    /// Processors that others kept busy, in the sample where that was the most.
    pub company: f64,
}

// === impl Line ===

impl Line {
    /// One that compares both sides by a figure of each sample.
    pub fn comparing(name: &str, unit: &'static str, plain: &[f64], ours: &[f64]) -> Self {
        Self {
            name: name.to_owned(),
            unit,
            plain: Spread::of(plain.iter().copied()),
            ours: Spread::of(ours.iter().copied()),
            ratio: Spread::of(plain.iter().zip(ours).map(|(plain, ours)| ours / plain)),
            ..Self::default()
        }
    }

    /// Whether the target was met; `None` without one.
    pub fn met(&self) -> Option<bool> {
        let figure = self.ratio.or(self.ours);
        self.target.map(|target| figure.is_some_and(|figure| figure.median <= target))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_of_samples_that_followed_each_other_and_are_held_against_the_target() {
        let line = Line::comparing("small", "µs", &[10.0, 20.0, 10.0], &[20.0, 40.0, 30.0]);
        assert_eq!(line.ratio, Some(Spread { median: 2.0, least: 2.0, most: 3.0 }));
        assert_eq!(line.met(), None);
        assert_eq!(Line { target: Some(2.0), ..line.clone() }.met(), Some(true));
        assert_eq!(Line { target: Some(1.9), ..line }.met(), Some(false));
    }

    #[test]
    fn a_line_without_figures_meets_nothing() {
        let line = Line { target: Some(1.0), ..Line::comparing("small", "µs", &[0.0], &[1.0]) };
        assert_eq!((line.ratio, Line { ours: None, ..line }.met()), (None, Some(false)));
    }
}
