//! The queue of spans: bounded, and never waited for.
//!
//! The SDK's own queue drops what finds no room without a count that could be read. So nothing is handed to it that it
//! would drop: who is counted in here is in its queue, or in the batch that is being exported.

use super::Lost;
use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Spans that wait or are being exported, of under 2 KiB each.
pub(super) const ROOM: usize = 4096;
const BATCH: usize = 512;

/// Lets in what there is room for.
#[derive(Debug)]
pub(super) struct Gate<P> {
    next: P,
    inside: Arc<AtomicUsize>,
    lost: Arc<Lost>,
}

/// Hands spans on, lets them out of the count, and counts those that are not taken.
#[derive(Debug)]
struct Counted<E> {
    exporter: E,
    inside: Arc<AtomicUsize>,
    lost: Arc<Lost>,
}

/// Batches for an exporter, on a thread of their own. What is lost is added to `lost`.
pub(super) fn processor(exporter: impl SpanExporter + 'static, lost: Arc<Lost>) -> Gate<BatchSpanProcessor> {
    let inside = Arc::<AtomicUsize>::default();
    let exporter = Counted { exporter, inside: Arc::clone(&inside), lost: Arc::clone(&lost) };
    let config = BatchConfigBuilder::default().with_max_queue_size(ROOM).with_max_export_batch_size(BATCH).build();
    let next = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
    Gate { next, inside, lost }
}

impl<P: SpanProcessor> SpanProcessor for Gate<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.next.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        let enter = |inside: usize| (inside < ROOM).then_some(inside + 1);
        match self.inside.fetch_update(Ordering::Relaxed, Ordering::Relaxed, enter) {
            Ok(_) => self.next.on_end(span),
            Err(_) => self.lost.add_spans(1, "it does not keep up"),
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.next.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.next.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.next.set_resource(resource);
    }
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let done = self.exporter.export(batch).await;
        self.inside.fetch_sub(spans, Ordering::Relaxed);
        if let Err(error) = &done {
            self.lost.add_spans(spans, &error.to_string());
        }
        done
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests;
