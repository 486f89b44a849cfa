//! Why an engine told nothing.

use std::fmt;

/// A page that could not be read.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Failure {
    /// No connection, or it broke before an answer.
    Connect(String),
    /// No whole answer in time.
    Timeout,
    /// Another status than 200.
    Status(u16),
    /// The answer broke off.
    Body(String),
    /// More bytes than are read.
    TooLarge,
    /// The answer is of another kind.
    Foreign(String),
}

impl Failure {
    /// Whether an engine that has no metrics answers like this.
    pub(super) const fn is_mute(&self) -> bool {
        matches!(self, Self::Foreign(_) | Self::Status(404 | 405 | 501))
    }

    /// The value of the label `reason`.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Timeout => "timeout",
            Self::Status(_) => "status",
            Self::Body(_) => "body",
            Self::TooLarge => "too_large",
            Self::Foreign(_) => "foreign",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => write!(f, "no connection: {error}"),
            Self::Timeout => f.write_str("no whole answer in time"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::Body(error) => write!(f, "the answer broke off: {error}"),
            Self::TooLarge => f.write_str("the answer is too large"),
            Self::Foreign(error) => f.write_str(error),
        }
    }
}
