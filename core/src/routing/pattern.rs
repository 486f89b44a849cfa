//! StringMatch: exact, byte prefix, or an unanchored regular expression.
//!
//! Values are bytes: a header need not be UTF-8. Upstream speaks RE2, and so does the `regex` crate but for
//! corners (`\Q..\E`, a literal `{`, `&&` inside a class). As in RE2, `\d`, `\w`, `\s` and `\b` are ASCII;
//! only a pattern that needs Unicode (`\pL`) is compiled with it.

use regex::bytes::{Regex as Compiled, RegexBuilder};
use serde::{Deserialize, Serialize};
use std::cell::OnceCell;

/// What a compiled expression may take, in bytes: a bound on what one ModelRoute can cost every VM.
const SIZE_LIMIT: usize = 1 << 20;

/// How a header's value or the path is compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Pattern {
    /// An empty StringMatch: everything, a missing header included.
    Any,
    /// The same bytes.
    Exact(String),
    /// Starts with these bytes; not aware of path segments.
    Prefix(String),
    /// Found anywhere in the value.
    Regex(Regex),
}

/// A regular expression, compiled when first used and kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Regex {
    pattern: String,
    compiled: OnceCell<Option<Compiled>>,
}

/// A pattern that does not compile, or compiles to something too large.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PatternError(String);

// === impl Pattern ===

impl Pattern {
    /// Whether `value` passes; pass an empty slice for a header that is absent.
    pub fn matches(&self, value: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => value == exact.as_bytes(),
            Self::Prefix(prefix) => value.starts_with(prefix.as_bytes()),
            Self::Regex(regex) => regex.is_match(value),
        }
    }
}

// === impl Regex ===

impl Regex {
    /// Takes the pattern as it is; one that does not compile matches nothing.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self { pattern: pattern.into(), compiled: OnceCell::new() }
    }

    /// Says why a pattern cannot work, by the very rules that matching uses.
    ///
    /// # Errors
    /// The syntax is wrong, or the compiled form is over a megabyte.
    pub fn check(pattern: &str) -> Result<(), PatternError> {
        compile(pattern).map(drop)
    }

    fn is_match(&self, value: &[u8]) -> bool {
        self.compiled.get_or_init(|| compile(&self.pattern).ok()).as_ref().is_some_and(|regex| regex.is_match(value))
    }
}

fn compile(pattern: &str) -> Result<Compiled, PatternError> {
    let build = |unicode: bool| {
        RegexBuilder::new(pattern).unicode(unicode).size_limit(SIZE_LIMIT).dfa_size_limit(SIZE_LIMIT).build()
    };
    build(false)
        .or_else(|_| build(true))
        // The crate draws the pattern with a caret over several lines; its last line says what is wrong.
        .map_err(|error| PatternError(error.to_string().lines().last().unwrap_or_default().trim().to_owned()))
}

impl PartialEq for Regex {
    fn eq(&self, other: &Self) -> bool {
        self.pattern == other.pattern
    }
}

impl From<String> for Regex {
    fn from(pattern: String) -> Self {
        Self::new(pattern)
    }
}

impl From<Regex> for String {
    fn from(regex: Regex) -> Self {
        regex.pattern
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_upstreams_do() {
        let regex = |p: &str| Pattern::Regex(Regex::new(p));
        for (pattern, value, expected) in [
            (Pattern::Any, "", true),
            (Pattern::Any, "x", true),
            (Pattern::Exact("premium".into()), "premium", true),
            (Pattern::Exact("premium".into()), "premium ", false),
            (Pattern::Prefix("/v1/ch".into()), "/v1/chat", true),
            (Pattern::Prefix(String::new()), "", true),
            (regex("rem"), "premium", true),
            (regex("^rem"), "premium", false),
            (regex(".*"), "", true),
            (regex(r"\d{3}\pL"), "a123b", true),
            (regex(r"^[\w-]{1,100}$"), "team-a", true),
            (regex(r"^\d$"), "\u{665}", false),
            (regex("^[é]$"), "é", true),
            (regex("("), "(", false),
        ] {
            assert_eq!(pattern.matches(value.as_bytes()), expected, "{pattern:?} on {value:?}");
        }
        assert!(regex("a").matches(b"\xffa"));
    }

    #[test]
    fn a_bad_pattern_says_what_is_wrong() {
        assert!(Regex::check("a|b").is_ok());
        assert_eq!(Regex::check("a(").unwrap_err().to_string(), "error: unclosed group");
        assert!(Regex::check("(a{1000}){1000}").is_err());
    }
}
