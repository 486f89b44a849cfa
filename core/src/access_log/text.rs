//! A line of text, as upstream writes it.

use super::Entry;
use super::escape::{Sentence, Token};
use humantime::format_rfc3339;
use std::fmt::{self, Display, Formatter};
use std::time::{Duration, SystemTime};

/// Displays an entry as a line without its end:
/// `[start] "METHOD PATH PROTOCOL" STATUS key=value ... timings=TOTALms(REQUEST+UPSTREAM+RESPONSE)`.
///
/// Keys without a value are left out. Nothing that a client sends begins a field or a line.
pub fn text(entry: &Entry) -> impl Display {
    Line(entry)
}

struct Line<'a>(&'a Entry);

/// The start in RFC 3339, with as many digits of the second as it takes, as Go's `RFC3339Nano` has it.
pub(super) fn timestamp(nanoseconds: u64) -> String {
    let time = SystemTime::UNIX_EPOCH + Duration::from_nanos(nanoseconds);
    let text = format_rfc3339(time).to_string();
    match text.strip_suffix('Z') {
        Some(seconds) if seconds.contains('.') => format!("{}Z", seconds.trim_end_matches('0')),
        _ => text,
    }
}

/// What follows the last slash of `namespace/name`.
pub(super) fn bare(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, bare)| bare)
}

impl Display for Line<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let entry = self.0;
        let (method, path) = (Token(&entry.method), Token(&entry.path));
        write!(f, "[{}] \"{method} {path} {}\" {}", timestamp(entry.start), entry.protocol, entry.status)?;
        if let Some(failure) = &entry.failure {
            write!(f, " error={}:{}", failure.kind, Sentence(&failure.message))?;
        }
        field(f, "model_name", &entry.model)?;
        field(f, "model_route", entry.model_route.as_deref().unwrap_or_default())?;
        field(f, "model_server", entry.model_server().unwrap_or_default())?;
        field(f, "selected_pod", bare(entry.pod.as_deref().unwrap_or_default()))?;
        field(f, "request_id", &entry.request_id)?;
        field(f, "trace_id", &entry.trace_id)?;
        if let Some(bound) = &entry.bound {
            field(f, "backend_type", bound.backend_type)?;
            field(f, "backend_name", &bound.backend)?;
            field(f, "upstream_model", &bound.upstream_model)?;
        }
        if let Some(status) = entry.upstream_status {
            write!(f, " upstream_status_code={status}")?;
        }
        if entry.upstream_attempts > 0 {
            write!(f, " upstream_attempts={}", entry.upstream_attempts)?;
        }
        if let Some(usage) = entry.usage.filter(|usage| usage.input > 0 || usage.output > 0) {
            write!(f, " tokens={}/{}", usage.input, usage.output)?;
        }
        let phases = &entry.phases;
        let [total, request, upstream, response] =
            [phases.total, phases.request, phases.upstream, phases.response].map(|part| part.as_millis());
        write!(f, " timings={total}ms({request}+{upstream}+{response})")
    }
}

fn field(f: &mut Formatter<'_>, key: &str, value: &str) -> fmt::Result {
    if value.is_empty() {
        return Ok(());
    }
    write!(f, " {key}={}", Token(value))
}
