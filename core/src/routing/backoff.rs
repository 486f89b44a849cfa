//! The pause before a retry, in the few sizes that Envoy's routes come in.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One of five pauses between retries.
///
/// No request header carries a back-off to Envoy, so a route exists for each class and the filter names
/// the one that a ModelServer's `trafficPolicy.retry.retryInterval` rounds up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum BackoffClass {
    Ms25,
    Ms100,
    Ms500,
    Ms1000,
    Ms5000,
}

impl BackoffClass {
    /// All classes, shortest first.
    pub const ALL: [Self; 5] = [Self::Ms25, Self::Ms100, Self::Ms500, Self::Ms1000, Self::Ms5000];

    /// The class for an interval, rounded up; `None` beyond the longest.
    pub fn at_least(interval: Duration) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.interval() >= interval)
    }

    /// The pause, on average: Envoy spreads retries at random.
    pub const fn interval(self) -> Duration {
        Duration::from_millis(match self {
            Self::Ms25 => 25,
            Self::Ms100 => 100,
            Self::Ms500 => 500,
            Self::Ms1000 => 1000,
            Self::Ms5000 => 5000,
        })
    }

    /// The value of [`crate::wire::BACKOFF`] that selects this class's route.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ms25 => "25ms",
            Self::Ms100 => "100ms",
            Self::Ms500 => "500ms",
            Self::Ms1000 => "1s",
            Self::Ms5000 => "5s",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_round_up_to_a_class() {
        let class = |ms| BackoffClass::at_least(Duration::from_millis(ms));
        assert_eq!(class(0), Some(BackoffClass::Ms25));
        assert_eq!(class(25), Some(BackoffClass::Ms25));
        assert_eq!(class(26), Some(BackoffClass::Ms100));
        assert_eq!(class(5000), Some(BackoffClass::Ms5000));
        assert_eq!(class(5001), None);
    }
}
