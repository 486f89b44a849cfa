//! What is said of each request, and where: upstream's three variables.
//!
//! A value that is none of the accepted ones costs a warning and counts as absent: a log is no reason not to serve.

use clap::Args;
use kthena_ext_proc::access_log::{Format, Output};

/// Flags of the access log.
#[derive(Debug, Clone, Args)]
pub struct AccessLogOptions {
    /// Whether a line is written for each request: true or false.
    #[arg(long = "access-log-enabled", env = "ACCESS_LOG_ENABLED", value_name = "BOOL", default_value = "true")]
    pub enabled: String,

    /// The form of the lines: text or json.
    #[arg(long = "access-log-format", env = "ACCESS_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    pub format: String,

    /// Where they go: stdout, stderr, or a file, to the end of which they are written.
    #[arg(long = "access-log-output", env = "ACCESS_LOG_OUTPUT", value_name = "OUTPUT", default_value = "stdout")]
    pub output: String,
}

/// What is to be written, and where; `None` for nothing.
pub type AccessLogSettings = Option<(Format, Output)>;

// === impl AccessLogOptions ===

impl AccessLogOptions {
    /// The settings, and a warning for each value that is not accepted.
    pub fn settings(&self) -> (AccessLogSettings, Vec<String>) {
        let mut warnings = Vec::new();
        let mut refused = |name: &str, value: &str, accepted: &str, default: &str| {
            warnings.push(format!("{name}: {value:?} is not accepted, expected {accepted}; it counts as {default}"));
        };
        let enabled = match self.enabled.to_ascii_lowercase().as_str() {
            "" | "true" | "t" | "1" => true,
            "false" | "f" | "0" => false,
            _ => {
                refused("ACCESS_LOG_ENABLED", &self.enabled, "true or false", "true");
                true
            }
        };
        let format = match self.format.to_ascii_lowercase().as_str() {
            "" | "text" => Format::Text,
            "json" => Format::Json,
            _ => {
                refused("ACCESS_LOG_FORMAT", &self.format, "text or json", "text");
                Format::Text
            }
        };
        let output = match self.output.as_str() {
            "" | "stdout" => Output::Stdout,
            "stderr" => Output::Stderr,
            path if path.ends_with('/') => {
                refused("ACCESS_LOG_OUTPUT", path, "stdout, stderr or the path of a file", "stdout");
                Output::Stdout
            }
            path => Output::File(path.into()),
        };
        (enabled.then_some((format, output)), warnings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(enabled: &str, format: &str, output: &str) -> (AccessLogSettings, Vec<String>) {
        let [enabled, format, output] = [enabled, format, output].map(str::to_owned);
        AccessLogOptions { enabled, format, output }.settings()
    }

    #[test]
    fn accepted_values_give_no_warning() {
        for (values, expected) in [
            (("true", "text", "stdout"), Some((Format::Text, Output::Stdout))),
            (("", "", ""), Some((Format::Text, Output::Stdout))),
            (("1", "JSON", "stderr"), Some((Format::Json, Output::Stderr))),
            (("True", "json", "/var/log/a.log"), Some((Format::Json, Output::File("/var/log/a.log".into())))),
            (("FALSE", "json", "x"), None),
        ] {
            assert_eq!(settings(values.0, values.1, values.2), (expected, vec![]), "{values:?}");
        }
    }

    #[test]
    fn other_values_are_named_with_what_is_accepted_and_count_as_the_default() {
        let (settings, warnings) = settings("nope", "xml", "logs/");
        assert_eq!(settings, Some((Format::Text, Output::Stdout)));
        assert_eq!(
            warnings,
            [
                "ACCESS_LOG_ENABLED: \"nope\" is not accepted, expected true or false; it counts as true",
                "ACCESS_LOG_FORMAT: \"xml\" is not accepted, expected text or json; it counts as text",
                "ACCESS_LOG_OUTPUT: \"logs/\" is not accepted, expected stdout, stderr or the path of a file; it \
                 counts as stdout",
            ]
        );
    }
}
