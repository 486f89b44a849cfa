//! The access log service: Envoy tells of requests that have ended, in batches; lines and metrics come of it.
//!
//! It is told, never asked: whatever happens here, requests go on. Lines are made here and written by a thread of
//! their own; what that does not keep up with is lost, and counted.

mod convert;
mod counts;
mod failure;
mod output;
mod service;
mod writer;

pub use counts::Counts;
pub use output::Output;
pub use writer::{Format, Writer};

use crate::picker::Picker;
use crate::telemetry::Telemetry;
use envoy_types::pb::envoy::data::accesslog::v3::HttpAccessLogEntry;
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
        entries.iter().for_each(|entry| self.telemetry.observe(entry));
        if let Some(writer) = &self.writer {
            writer.write(&entries);
        }
    }
}
