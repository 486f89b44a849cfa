//! Durations as Go writes them (`metav1.Duration`): `10s`, `100ms`, `1h5m`, `1.5s`.
//!
//! kube's own type does the parsing. It is wrapped for three reasons: it panics when the sum
//! overflows, it takes an empty text for zero, and it takes a sign, which no field of ours gives a
//! meaning to.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A length of time, never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(std::time::Duration);

/// A text that is not a duration; names the accepted form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid duration {0:?}: expected numbers with units ns, us, ms, s, m or h, such as \"10s\", \"100ms\" or \"1h5m\""
)]
pub struct ParseDurationError(String);

/// The longest text taken. Go prints its longest duration in 20 bytes.
const MAX_LEN: usize = 64;

/// The longest run of digits taken: ten such runs of hours still fit a `std::time::Duration`, and
/// `MAX_LEN` leaves room for five.
const MAX_DIGITS: usize = 14;

impl Duration {
    /// A duration of whole milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(std::time::Duration::from_millis(millis))
    }

    /// The same length as the standard library's type.
    #[must_use]
    pub const fn as_std(self) -> std::time::Duration {
        self.0
    }
}

impl From<std::time::Duration> for Duration {
    fn from(duration: std::time::Duration) -> Self {
        Self(duration)
    }
}

impl From<Duration> for std::time::Duration {
    fn from(duration: Duration) -> Self {
        duration.0
    }
}

impl FromStr for Duration {
    type Err = ParseDurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || ParseDurationError(text.chars().take(MAX_LEN).collect());
        let longest_run = text.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or_default();
        if text.is_empty() || text.len() > MAX_LEN || longest_run > MAX_DIGITS || text.contains(['-', '+']) {
            return Err(refused());
        }
        let parsed: kube::core::Duration = text.parse().map_err(|_| refused())?;
        Ok(Self(parsed.into()))
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        kube::core::Duration::from(self.0).fmt(f)
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        kube::core::Duration::schema_name()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        kube::core::Duration::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_go_writes() {
        for (text, millis) in [
            ("10s", 10_000),
            ("100ms", 100),
            ("1h5m", 3_900_000),
            ("1h5m0s", 3_900_000),
            ("1.5s", 1_500),
            ("500us", 0),
            ("0s", 0),
            ("0", 0),
        ] {
            let parsed: Duration = text.parse().unwrap();
            assert_eq!(parsed.as_std().as_millis(), millis, "{text}");
        }
    }

    #[test]
    fn what_it_writes_reads_back_the_same() {
        for text in ["10s", "100ms", "1h5m", "1.5s", "7us", "0s"] {
            let parsed: Duration = text.parse().unwrap();
            assert_eq!(parsed.to_string().parse(), Ok(parsed), "{text}");
        }
        let json = serde_json::to_value(Duration::from_millis(100)).unwrap();
        assert_eq!(json, "100ms");
    }

    #[test]
    fn a_refusal_names_the_accepted_form() {
        let longest = "9".repeat(MAX_DIGITS + 1) + "h";
        for text in ["", "10", "ten", "10 s", "-1s", "1d", "s", "1.2.3s", &longest] {
            let refused = text.parse::<Duration>().unwrap_err().to_string();
            assert!(refused.contains("such as \"10s\""), "{text}: {refused}");
        }
    }

    #[test]
    fn the_largest_text_taken_does_not_overflow() {
        let run = "9".repeat(MAX_DIGITS) + "h";
        let text = run.repeat(MAX_LEN / run.len());
        assert!(text.parse::<Duration>().is_ok(), "{text}");
    }
}
