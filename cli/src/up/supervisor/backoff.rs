//! The pause before a child is started again.

use std::time::Duration;

/// Short enough that a single death is hardly noticed.
const SHORTEST: Duration = Duration::from_millis(100);
/// Long enough that a child that cannot run costs nothing.
const LONGEST: Duration = Duration::from_secs(5);
/// A child that ran this long was well.
const WELL: Duration = Duration::from_secs(10);

/// Doubles with each death of a child that did not run long.
#[derive(Debug)]
pub struct Backoff(Duration);

// === impl Backoff ===

impl Default for Backoff {
    fn default() -> Self {
        Self(SHORTEST)
    }
}

impl Backoff {
    /// The pause after a process that ran so long.
    pub fn after(&mut self, ran: Duration) -> Duration {
        if ran >= WELL {
            self.0 = SHORTEST;
        }
        let pause = self.0;
        self.0 = (pause * 2).min(LONGEST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_five_seconds() {
        let mut backoff = Backoff::default();
        let pauses = [(); 8].map(|()| backoff.after(Duration::from_secs(1)).as_millis());
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    }

    #[test]
    fn a_child_that_ran_well_starts_anew() {
        let mut backoff = Backoff::default();
        backoff.after(Duration::ZERO);
        backoff.after(Duration::ZERO);
        assert_eq!(backoff.after(WELL), SHORTEST);
        assert_eq!(backoff.after(Duration::ZERO), SHORTEST * 2);
    }
}
