//! How long tokens take.

use std::time::Duration;

use anyhow::{Context, bail};

/// Time to the first token and per token after it, with the speed factor already in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    ttft: Duration,
    tpot: Duration,
}

// === impl Pace ===

impl Pace {
    /// # Errors
    ///
    /// `speed` is not a finite number above 0, or so small that a duration overflows.
    pub fn new(ttft: Duration, tpot: Duration, speed: f64) -> anyhow::Result<Self> {
        check_speed(speed)?;
        let scale = |flag: &str, duration: Duration| {
            Duration::try_from_secs_f64(duration.as_secs_f64() / speed)
                .with_context(|| format!("{flag} {duration:?} divided by --speed {speed} is too long"))
        };
        Ok(Self { ttft: scale("--ttft", ttft)?, tpot: scale("--tpot", tpot)? })
    }

    /// From a request's start until the token at `position` (from 0).
    pub fn until(&self, position: u32) -> Duration {
        self.ttft.saturating_add(self.tpot.saturating_mul(position))
    }
}

/// Reads a speed factor as the flag `--speed` takes it.
///
/// # Errors
///
/// Not a finite number above 0.
pub fn parse_speed(text: &str) -> anyhow::Result<f64> {
    let speed = text.parse().with_context(|| format!("{SPEED_ACCEPTS}, not {text:?}"))?;
    check_speed(speed)?;
    Ok(speed)
}

const SPEED_ACCEPTS: &str = "--speed takes a finite number above 0";

fn check_speed(speed: f64) -> anyhow::Result<()> {
    if speed.is_finite() && speed > 0.0 {
        return Ok(());
    }
    bail!("{SPEED_ACCEPTS}, not {speed}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_speed_factor_divides_both_durations() {
        let pace = Pace::new(Duration::from_millis(20), Duration::from_millis(5), 2.0).expect("a plain pace");
        assert_eq!(pace.until(0), Duration::from_millis(10));
        assert_eq!(pace.until(4), Duration::from_millis(20));
    }

    #[test]
    fn a_factor_that_makes_a_duration_endless_is_an_error_that_names_the_flag() {
        let error = Pace::new(Duration::from_secs(1), Duration::ZERO, 1e-300).expect_err("too long");
        assert!(format!("{error:#}").contains("--ttft"), "{error:#}");
    }

    #[test]
    fn a_wait_too_long_to_count_saturates() {
        let pace = Pace::new(Duration::ZERO, Duration::from_secs(u64::MAX / 2), 1.0).expect("long, but countable");
        assert_eq!(pace.until(u32::MAX), Duration::MAX);
    }
}
