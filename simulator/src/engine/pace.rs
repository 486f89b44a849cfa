//! How long tokens take.

use std::time::Duration;

use anyhow::{Context, bail};

/// The times of one engine's steps, with the speed factor already in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    ttft: Duration,
    tpot: Duration,
    /// Prompt tokens a second; none: prompts take no time.
    prefill_rate: Option<f64>,
    /// Share of `tpot` that each further sequence adds to a step.
    slowdown: f64,
}

// === impl Pace ===

impl Pace {
    /// `ttft` and `tpot` are those of a short prompt on an idle engine; a request that is alone has its
    /// token at position p (from 0) at `ttft + p * tpot`.
    ///
    /// # Errors
    ///
    /// `speed` or `prefill_rate` is not a finite number above 0, `slowdown` is negative or not finite, or
    /// a duration divided by `speed` overflows.
    pub fn new(
        ttft: Duration,
        tpot: Duration,
        speed: f64,
        prefill_rate: Option<f64>,
        slowdown: f64,
    ) -> anyhow::Result<Self> {
        check_positive("--speed", speed)?;
        if let Some(rate) = prefill_rate {
            check_positive("--prefill-rate", rate)?;
        }
        check_slowdown(slowdown)?;
        Ok(Self {
            ttft: faster("--ttft", ttft, speed)?,
            tpot: faster("--tpot", tpot, speed)?,
            prefill_rate: prefill_rate.map(|rate| rate * speed),
            slowdown,
        })
    }

    /// From the end of a prompt's prefill until its first token.
    pub fn first_token(&self) -> Duration {
        self.ttft
    }

    /// From one token to the next, of each of `batch` sequences.
    pub fn step(&self, batch: usize) -> Duration {
        if self.slowdown == 0.0 {
            return self.tpot;
        }
        let factor = 1.0 + self.slowdown * batch.saturating_sub(1) as f64;
        Duration::try_from_secs_f64(self.tpot.as_secs_f64() * factor).unwrap_or(Duration::MAX)
    }

    /// To compute so many prompt tokens; `None` if prompts take no time.
    pub fn prefill(&self, tokens: u64) -> Option<Duration> {
        let rate = self.prefill_rate?;
        Some(Duration::try_from_secs_f64(tokens as f64 / rate).unwrap_or(Duration::MAX))
    }
}

/// Divides what `flag` says by the speed factor.
///
/// # Errors
///
/// The quotient is too long to count.
pub fn faster(flag: &str, duration: Duration, speed: f64) -> anyhow::Result<Duration> {
    Duration::try_from_secs_f64(duration.as_secs_f64() / speed)
        .with_context(|| format!("{flag} {duration:?} divided by --speed {speed} is too long"))
}

/// Reads a speed factor as the flag `--speed` takes it.
///
/// # Errors
///
/// Not a finite number above 0.
pub fn parse_speed(text: &str) -> anyhow::Result<f64> {
    parse_positive("--speed", text)
}

/// Reads tokens a second as the flag `--prefill-rate` takes them.
///
/// # Errors
///
/// Not a finite number above 0.
pub fn parse_rate(text: &str) -> anyhow::Result<f64> {
    parse_positive("--prefill-rate", text)
}

/// Reads a share as the flag `--decode-slowdown` takes it.
///
/// # Errors
///
/// Not a finite number, or below 0.
pub fn parse_slowdown(text: &str) -> anyhow::Result<f64> {
    let share = text.parse().with_context(|| format!("{SLOWDOWN_ACCEPTS}, not {text:?}"))?;
    check_slowdown(share)?;
    Ok(share)
}

const SLOWDOWN_ACCEPTS: &str = "--decode-slowdown takes a finite number, 0 or above";

fn check_slowdown(share: f64) -> anyhow::Result<()> {
    if share.is_finite() && share >= 0.0 {
        return Ok(());
    }
    bail!("{SLOWDOWN_ACCEPTS}, not {share}")
}

fn parse_positive(flag: &str, text: &str) -> anyhow::Result<f64> {
    let number = text.parse().with_context(|| format!("{flag} takes a finite number above 0, not {text:?}"))?;
    check_positive(flag, number)?;
    Ok(number)
}

fn check_positive(flag: &str, number: f64) -> anyhow::Result<()> {
    if number.is_finite() && number > 0.0 {
        return Ok(());
    }
    bail!("{flag} takes a finite number above 0, not {number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTFT: Duration = Duration::from_millis(20);
    const TPOT: Duration = Duration::from_millis(5);

    #[test]
    fn the_speed_factor_divides_all_times() {
        let pace = Pace::new(TTFT, TPOT, 2.0, Some(100.0), 0.0).expect("a plain pace");
        assert_eq!(pace.first_token(), Duration::from_millis(10));
        assert_eq!(pace.step(7), Duration::from_micros(2500));
        assert_eq!(pace.prefill(100), Some(Duration::from_millis(500)));
    }

    #[test]
    fn each_further_sequence_slows_the_step_by_the_same_share() {
        let pace = Pace::new(TTFT, TPOT, 1.0, None, 0.01).expect("a plain pace");
        assert_eq!([1, 101, 201].map(|batch| pace.step(batch)), [TPOT, 2 * TPOT, 3 * TPOT]);
        assert_eq!(pace.prefill(u64::MAX), None);
    }

    #[test]
    fn a_factor_that_makes_a_duration_endless_is_an_error_that_names_the_flag() {
        let error = Pace::new(Duration::from_secs(1), Duration::ZERO, 1e-300, None, 0.0).expect_err("too long");
        assert!(format!("{error:#}").contains("--ttft"), "{error:#}");
    }

    #[test]
    fn times_too_long_to_count_saturate() {
        let long = Duration::from_secs(u64::MAX / 2);
        let pace = Pace::new(long, long, 1.0, Some(f64::MIN_POSITIVE), 1e300).expect("long, but countable");
        assert_eq!(pace.step(100), Duration::MAX);
        assert_eq!(pace.prefill(u64::MAX), Some(Duration::MAX));
    }

    #[test]
    fn a_slowdown_below_nothing_is_refused_by_name() {
        for share in ["-0.1", "inf", "nan", "much"] {
            let error = parse_slowdown(share).expect_err(share);
            assert!(error.to_string().contains("--decode-slowdown takes a finite number"), "{error}");
        }
    }
}
