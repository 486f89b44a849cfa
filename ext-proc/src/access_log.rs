//! The access log service: Envoy tells of requests that have ended, in batches; lines and metrics come of it.
//!
//! It is told, never asked: whatever happens here, requests go on. Lines are made here and written by a thread of
//! their own; what that does not keep up with is lost, and counted.

mod bound;
mod convert;
mod counts;
mod failure;
mod output;
mod service;
mod writer;

pub use bound::Bound;
pub use counts::Counts;
pub use output::Output;
pub use writer::{Format, Writer};

use crate::picker::Picker;
use crate::telemetry::Telemetry;
use envoy_types::pb::envoy::data::accesslog::v3::HttpAccessLogEntry;
use kthena_core::access_log::{Chunks, Entry, Kind};
use kthena_core::fleet::Ended;
use kthena_core::session::is_inference;
use service::AccessLogServer;
use std::sync::Arc;
use std::time::Duration;

/// Takes Envoy's log.
#[derive(Debug)]
pub struct AccessLog {
    picker: Arc<Picker>,
    telemetry: Arc<Telemetry>,
    counts: Arc<Counts>,
    writer: Option<Writer>,
}

// === impl AccessLog ===

impl AccessLog {
    /// A log whose pods are the picker's and whose entries go to the metrics, and to a writer if there is one.
    /// What is lost is added to `counts`.
    pub fn new(
        picker: Arc<Picker>,
        telemetry: Arc<Telemetry>,
        counts: Arc<Counts>,
        writer: Option<Writer>,
    ) -> Arc<Self> {
        Arc::new(Self { picker, telemetry, counts, writer })
    }

    /// The gRPC service, for the socket that Envoy's cluster `log` leads to.
    pub(crate) fn service(self: Arc<Self>) -> AccessLogServer {
        AccessLogServer(self)
    }

    /// Waits until what was handed over is written, `patience` at the most; blocks.
    pub fn finish(&self, patience: Duration) {
        if let Some(writer) = &self.writer {
            writer.finish(patience);
        }
    }

    fn take(&self, entries: Vec<HttpAccessLogEntry>) {
        // Whatever was asked for: what exceeds a bound may have no path that could be read.
        entries.iter().filter_map(Bound::of).for_each(|bound| self.counts.exceeded(bound));
        let entries: Vec<_> = entries
            .into_iter()
            .filter(|entry| entry.request.as_ref().is_some_and(|request| is_inference(&request.path)))
            .map(|entry| {
                let (entry, readable) = convert::entry(entry, |address| self.picker.pod(address));
                if !readable {
                    self.counts.unreadable();
                }
                entry
            })
            .collect();
        for entry in &entries {
            self.telemetry.observe(entry);
            let address = entry.address.map(|address| address.to_string());
            self.picker.completed(&ended(entry, address.as_deref()));
        }
        if let Some(writer) = &self.writer {
            writer.write(&entries);
        }
    }
}

/// What scheduling learns of a request's end. Who answered after others had failed is not blamed for their time, and
/// an answer that is none tells nothing of an engine's pace.
fn ended<'a>(entry: &'a Entry, address: Option<&'a str>) -> Ended<'a> {
    let failed_as = |kind: Kind| entry.failure.as_ref().is_some_and(|failure| failure.kind == kind.name());
    // A client that went away is no fault of the engine's, nor is what the client asked for.
    let broken = entry.status < 300 && failed_as(Kind::Proxy);
    // Nor can Envoy tell an engine that is silent from a client that does not read.
    let silent = broken && entry.failure.as_ref().is_some_and(|failure| failure.message == failure::STOPPED);
    let telling = entry.upstream_attempts <= 1 && !broken && !failed_as(Kind::RequestFailed);
    let chunks = entry.chunks.as_ref().filter(|_| telling);
    let between = |chunks: &Chunks| {
        let gaps: u32 = chunks.gaps.iter().sum();
        let tokens = entry.usage.and_then(|usage| u32::try_from(usage.output.saturating_sub(1)).ok());
        // A chunk may carry several tokens, or none that is counted.
        chunks.span.checked_div(tokens.filter(|tokens| *tokens >= gaps).unwrap_or(gaps))
    };
    Ended {
        key: (entry.key != 0).then_some(entry.key),
        target: entry.model_server(),
        attempts: entry.upstream_attempts,
        address,
        status: entry.status,
        ttft: chunks.map(|chunks| chunks.first.saturating_sub(entry.phases.request)),
        tpot: chunks.and_then(between),
        duration: telling.then(|| entry.phases.upstream + entry.phases.response),
        broken,
        silent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kthena_core::access_log::{Failure, Phases};

    #[test]
    fn an_answer_that_did_not_end_as_it_should_is_broken_and_tells_no_pace() {
        let second = Duration::from_secs(1);
        let entry = |failure: Option<Kind>, status, upstream_attempts| Entry {
            status,
            upstream_attempts,
            failure: failure.map(|kind| Failure { kind: kind.name(), message: String::new() }),
            chunks: Some(Chunks::begin(second)),
            phases: Phases { total: second, response: second, ..Phases::default() },
            ..Entry::default()
        };
        for (failure, status, attempts, broken, telling) in [
            (None, 200, 1, false, true),
            (None, 200, 2, false, false),
            (Some(Kind::Proxy), 200, 1, true, false),
            (Some(Kind::Proxy), 503, 1, false, true),
            (Some(Kind::RequestFailed), 200, 1, false, false),
            (Some(Kind::ResponseForwarding), 200, 1, false, true),
        ] {
            let entry = entry(failure, status, attempts);
            let ended = ended(&entry, None);
            let case = format!("{failure:?} {status} after {attempts}");
            assert_eq!(
                (ended.broken, ended.ttft.is_some(), ended.duration.is_some()),
                (broken, telling, telling),
                "{case}"
            );
        }
    }

    #[test]
    fn an_answer_that_fell_silent_may_be_one_that_the_client_does_not_read() {
        for (status, message, silent) in
            [(200, failure::STOPPED, true), (200, "pod broke off its answer", false), (504, failure::STOPPED, false)]
        {
            let failure = Some(Failure { kind: Kind::Proxy.name(), message: message.to_owned() });
            let entry = Entry { status, failure, upstream_attempts: 1, ..Entry::default() };
            assert_eq!(ended(&entry, None).silent, silent, "{status} {message}");
        }
    }
}
