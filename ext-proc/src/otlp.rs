//! What leaves for an OpenTelemetry collector: a span of each pick, and the metrics of the convention for generative AI.
//!
//! Nothing waits for a collector. Spans stand in a queue of a bounded length, from which a thread takes them in batches;
//! what finds no room, or is not taken, is lost, counted and told once in a while.

mod lost;
mod metrics;
mod queue;
mod spans;

pub use lost::Lost;
pub(crate) use spans::Asking;

use crate::telemetry::Labels;
use kthena_core::access_log::Entry;
use lost::CountedMetrics;
use metrics::Metrics;
use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use spans::Spans;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use tonic::metadata::MetadataMap;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

/// Whose telemetry this is, to people who look at it. Envoy's spans have a name of their own.
const SERVICE: &str = "kthena-router";

/// A collector that takes longer has not taken it.
const TIMEOUT: Duration = Duration::from_secs(5);

/// An OpenTelemetry collector that speaks OTLP over gRPC.
#[derive(Debug, Clone)]
pub struct Collector {
    /// `http://HOST:PORT`, or `https://HOST:PORT`.
    pub url: String,
    /// The certificates (PEM) that an `https` one is checked against; it must be for the host.
    pub authorities: Option<Vec<u8>>,
}

/// The way to a collector.
#[derive(Debug)]
pub struct Otlp {
    spans: Spans,
    metrics: Metrics,
    meters: SdkMeterProvider,
    lost: Arc<Lost>,
}

// === impl Otlp ===

impl Otlp {
    /// Begins to export; call it within a runtime. A collector need not be there, now or later.
    ///
    /// # Errors
    /// The URL, or the certificates, cannot be taken.
    pub fn start(collector: &Collector) -> Result<Arc<Self>, String> {
        let channel = channel(collector)?;
        let lost = Arc::new(Lost::new(collector.url.clone()));
        let refused =
            |error: opentelemetry_otlp::ExporterBuildError| format!("OTLP collector {}: {error}", collector.url);
        let spans = SpanExporter::builder().with_tonic().with_channel(channel.clone()).build().map_err(refused)?;
        let metrics = MetricExporter::builder().with_tonic().with_channel(channel).build().map_err(refused)?;
        let resource = resource();
        let reader = PeriodicReader::builder(CountedMetrics::new(metrics, Arc::clone(&lost))).build();
        let meters = SdkMeterProvider::builder().with_resource(resource.clone()).with_reader(reader).build();
        let metrics = Metrics::new(&meters.meter(SERVICE));
        let spans = Spans::new(queue::processor(spans, Arc::clone(&lost)), resource);
        Ok(Arc::new(Self { spans, metrics, meters, lost }))
    }

    /// The question that comes with that metadata, if it is part of a trace that is sampled.
    pub(crate) fn asking(self: &Arc<Self>, metadata: &MetadataMap) -> Option<Asking> {
        Some(Asking::new(Arc::clone(self), Spans::parent(metadata)?))
    }

    /// Measures a request that has ended.
    pub(crate) fn observe(&self, entry: &Entry, labels: &Labels<'_>) {
        self.metrics.observe(entry, labels);
    }

    /// What did not arrive.
    pub fn lost(&self) -> &Lost {
        &self.lost
    }

    /// Hands over what waits, and ends; `patience` at the most. Blocks.
    pub fn finish(self: Arc<Self>, patience: Duration) {
        let (done, finished) = mpsc::channel();
        // A thread that is left behind ends with the process.
        let finish = move || {
            self.spans.finish(patience);
            let _ = self.meters.shutdown_with_timeout(patience);
            let _ = done.send(());
        };
        if thread::Builder::new().name("otlp".to_owned()).spawn(finish).is_ok() {
            let _ = finished.recv_timeout(patience);
        }
    }
}

/// One connection for both, made when it is needed and made again when it broke.
fn channel(collector: &Collector) -> Result<Channel, String> {
    let refused = |error: tonic::transport::Error| format!("OTLP collector {}: {error}", collector.url);
    let endpoint = Endpoint::from_shared(collector.url.clone()).map_err(refused)?;
    let endpoint = endpoint.connect_timeout(TIMEOUT).timeout(TIMEOUT);
    let endpoint = match &collector.authorities {
        None => endpoint,
        Some(pem) => {
            let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem));
            endpoint.tls_config(tls).map_err(refused)?
        }
    };
    Ok(endpoint.connect_lazy())
}

/// Two routers' metrics are two series: each process has an id. `OTEL_RESOURCE_ATTRIBUTES` adds to it.
fn resource() -> Resource {
    let id = uuid(fastrand::u128(..));
    let attributes =
        [KeyValue::new("service.version", env!("CARGO_PKG_VERSION")), KeyValue::new("service.instance.id", id)];
    Resource::builder().with_service_name(SERVICE).with_attributes(attributes).build()
}

/// A random UUID, as the convention wants instances to be named.
fn uuid(random: u128) -> String {
    let version_4 = random & !(0xf << 76) | (0x4 << 76);
    let variant = version_4 & !(0x3 << 62) | (0x2 << 62);
    let hex = format!("{variant:032x}");
    let parts: Vec<_> = [0..8, 8..12, 12..16, 16..20, 20..32].into_iter().filter_map(|part| hex.get(part)).collect();
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_named_by_a_random_uuid() {
        assert_eq!(uuid(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(uuid(0), "00000000-0000-4000-8000-000000000000");
    }

    #[tokio::test]
    async fn a_collector_that_cannot_be_taken_is_named() {
        let collector = Collector { url: "http://".to_owned(), authorities: None };
        let error = Otlp::start(&collector).unwrap_err();
        assert!(error.starts_with("OTLP collector http://: "), "{error}");
    }
}
