//! Many samples, one figure.

use std::fmt;

/// The middle of some samples, and how far they lie apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The smallest.
    pub least: f64,
    /// The largest.
    pub most: f64,
}

// === impl Spread ===

impl Spread {
    /// Of these samples; `None` without one, or where one is no number.
    pub fn of(samples: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut samples: Vec<f64> = samples.into_iter().collect();
        if samples.iter().any(|sample| !sample.is_finite()) {
            return None;
        }
        samples.sort_by(f64::total_cmp);
        let middle = samples.len() / 2;
        let median = match samples.len() % 2 {
            0 => (samples.get(middle.checked_sub(1)?)? + samples.get(middle)?) / 2.0,
            _ => *samples.get(middle)?,
        };
        Some(Self { median, least: *samples.first()?, most: *samples.last()? })
    }
}

/// The sample that this share (0 to 1) of all is not above; `None` without samples.
pub fn percentile(samples: &mut [f64], share: f64) -> Option<f64> {
    samples.sort_by(f64::total_cmp);
    let rank = (samples.len() as f64 * share.clamp(0.0, 1.0)).ceil() as usize;
    samples.get(rank.saturating_sub(1)).copied()
}

/// As many digits as count.
fn digits(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size < 0.001 => format!("{value:.5}"),
        size if size < 0.1 => format!("{value:.4}"),
        size if size < 9.995 => format!("{value:.2}"),
        size if size < 99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { median, least, most } = *self;
        match least == most {
            true => write!(f, "{}", digits(median)),
            false => write!(f, "{} ({}–{})", digits(median), digits(least), digits(most)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_middle_ones() {
        let spread = |samples: &[f64]| Spread::of(samples.iter().copied());
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some(Spread { median: 2.0, least: 1.0, most: 3.0 }));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 9.0]), Some(Spread { median: 3.0, least: 1.0, most: 9.0 }));
        assert_eq!(spread(&[7.0]), Some(Spread { median: 7.0, least: 7.0, most: 7.0 }));
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[1.0, f64::NAN]), None, "no figure is made of what is none");
        assert_eq!(spread(&[1.0, f64::INFINITY]), None);
    }

    #[test]
    fn a_percentile_is_a_sample() {
        let mut samples: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        let shares = [0.0, 0.5, 0.99, 1.0].map(|share| percentile(&mut samples, share));
        assert_eq!(shares, [Some(1.0), Some(50.0), Some(99.0), Some(100.0)]);
        assert_eq!(percentile(&mut [], 0.5), None);
    }

    #[test]
    fn figures_have_the_digits_that_count() {
        let shown = [0.0, 0.000_123, 0.0321, 2.345, 9.999, 23.45, 99.96, 12345.6].map(digits);
        assert_eq!(shown, ["0", "0.00012", "0.0321", "2.35", "10.0", "23.4", "100", "12346"]);
        let spread = Spread::of([2.0, 2.5, 3.0]).unwrap();
        assert_eq!(spread.to_string(), "2.50 (2.00–3.00)");
        assert_eq!(Spread::of([2.0]).unwrap().to_string(), "2.00");
    }
}
