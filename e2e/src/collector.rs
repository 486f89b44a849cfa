//! An OpenTelemetry collector that keeps what it is sent, by the official protocol.

use crate::{Loopback, until};
use kthena_simulator::Tls;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::resource::v1::Resource;
use std::fs;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status};

const PORT: u16 = 4317;

/// A span, as text.
#[derive(Debug, Clone)]
pub struct Span {
    /// `service.name` of whoever made it.
    pub service: String,
    /// Its name.
    pub name: String,
    /// `server`, `client`, or another number.
    pub kind: String,
    /// The trace, its own id, and its parent's; empty for none.
    pub trace: String,
    /// Its own.
    pub id: String,
    /// Its parent's; empty for none.
    pub parent: String,
    /// Names and values, in the order in which they came.
    pub attributes: Vec<(String, String)>,
}

/// A histogram's data point, as text.
#[derive(Debug, Clone)]
pub struct Point {
    /// `service.name` of whoever measured.
    pub service: String,
    /// The metric's name.
    pub name: String,
    /// Names and values.
    pub attributes: Vec<(String, String)>,
    /// How many values.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The buckets' upper bounds.
    pub bounds: Vec<f64>,
}

/// The collector; dropping it ends it.
#[derive(Debug)]
pub struct Collector {
    address: Loopback,
    tls: bool,
    taken: Arc<Mutex<Taken>>,
    /// Dropping it is the signal.
    _shutdown: oneshot::Sender<()>,
}

#[derive(Debug, Default)]
struct Taken {
    spans: Vec<Span>,
    /// Of the last export.
    points: Vec<Point>,
    hangs: bool,
    exports: u64,
}

#[derive(Debug, Clone)]
struct Service(Arc<Mutex<Taken>>);

// === impl Collector ===

impl Collector {
    /// One that speaks plain text.
    pub fn start() -> Self {
        Self::at(Loopback::claim(&[PORT]), None)
    }

    /// One that speaks TLS with that certificate.
    pub fn tls(address: Loopback, tls: &Tls) -> Self {
        Self::at(address, Some(tls))
    }

    /// One at that address.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn at(address: Loopback, tls: Option<&Tls>) -> Self {
        let listen = address.at(PORT);
        let taken = Arc::<Mutex<Taken>>::default();
        let service = Service(Arc::clone(&taken));
        let identity = tls.map(|tls| {
            let read = |file: &Option<std::path::PathBuf>| fs::read(file.as_ref().expect("a file")).expect("a file");
            Identity::from_pem(read(&tls.tls_cert), read(&tls.tls_key))
        });
        let (sender, receiver) = oneshot::channel::<()>();
        let (bound, told) = mpsc::channel();
        let secure = identity.is_some();
        thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = TcpListener::bind(listen).await.expect("a free address");
                let mut server = Server::builder();
                if let Some(identity) = identity {
                    server = server.tls_config(ServerTlsConfig::new().identity(identity)).expect("a certificate");
                }
                let routes = server
                    .add_service(TraceServiceServer::new(service.clone()))
                    .add_service(MetricsServiceServer::new(service));
                bound.send(()).expect("someone waits");
                tokio::select! {
                    done = routes.serve_with_incoming(TcpListenerStream::new(listener)) => done.expect("it serves"),
                    _ = receiver => {}
                }
            });
        });
        told.recv().expect("the collector listens");
        Self { address, tls: secure, taken, _shutdown: sender }
    }

    /// Where it is, for `--otlp-endpoint`.
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.listens())
    }

    /// Where it listens.
    pub fn listens(&self) -> SocketAddr {
        self.address.at(PORT)
    }

    /// From now on it takes what comes and answers nobody.
    pub fn hangs(&self) {
        self.lock().hangs = true;
    }

    /// How often it was sent anything.
    pub fn exports(&self) -> u64 {
        self.lock().exports
    }

    /// Every span that came.
    pub fn spans(&self) -> Vec<Span> {
        self.lock().spans.clone()
    }

    /// Every point of the latest export of metrics.
    pub fn points(&self) -> Vec<Point> {
        self.lock().points.clone()
    }

    /// Waits until the trace has spans of which `wanted` holds, and answers all that it has.
    pub async fn trace(&self, trace: &str, what: &str, wanted: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        until(&format!("{what} in trace {trace}"), async || {
            let spans: Vec<_> = self.spans().into_iter().filter(|span| span.trace == trace).collect();
            wanted(&spans).then_some(spans)
        })
        .await
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Span ===

impl Span {
    /// An attribute's value; empty where there is none.
    pub fn value(&self, name: &str) -> &str {
        value(&self.attributes, name)
    }
}

// === impl Point ===

impl Point {
    /// An attribute's value; empty where there is none.
    pub fn value(&self, name: &str) -> &str {
        value(&self.attributes, name)
    }
}

fn value<'a>(attributes: &'a [(String, String)], name: &str) -> &'a str {
    attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).unwrap_or_default()
}

// === impl Service ===

impl Service {
    async fn take(&self, take: impl FnOnce(&mut Taken)) {
        let hangs = {
            let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            taken.exports += 1;
            take(&mut taken);
            taken.hangs
        };
        if hangs {
            pending::<()>().await;
        }
    }
}

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut spans = Vec::new();
        for resource in request.into_inner().resource_spans {
            let service = service_of(resource.resource);
            spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans).map(|span| Span {
                service: service.clone(),
                name: span.name,
                kind: match span.kind {
                    2 => "server".to_owned(),
                    3 => "client".to_owned(),
                    other => other.to_string(),
                },
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                attributes: texts(span.attributes),
            }));
        }
        self.take(|taken| taken.spans.extend(spans)).await;
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Service {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let mut points = Vec::new();
        for resource in request.into_inner().resource_metrics {
            let service = service_of(resource.resource);
            for metric in resource.scope_metrics.into_iter().flat_map(|scope| scope.metrics) {
                let Some(Data::Histogram(histogram)) = metric.data else { continue };
                points.extend(histogram.data_points.into_iter().map(|point| Point {
                    service: service.clone(),
                    name: metric.name.clone(),
                    attributes: texts(point.attributes),
                    count: point.count,
                    sum: point.sum.unwrap_or_default(),
                    bounds: point.explicit_bounds,
                }));
            }
        }
        self.take(|taken| taken.points = points).await;
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

fn service_of(resource: Option<Resource>) -> String {
    let attributes = texts(resource.map(|resource| resource.attributes).unwrap_or_default());
    value(&attributes, "service.name").to_owned()
}

fn texts(attributes: Vec<KeyValue>) -> Vec<(String, String)> {
    let text = |pair: KeyValue| {
        let value = match pair.value.and_then(|value| value.value) {
            Some(Value::StringValue(text)) => text,
            Some(Value::IntValue(number)) => number.to_string(),
            Some(Value::DoubleValue(number)) => number.to_string(),
            Some(Value::BoolValue(yes)) => yes.to_string(),
            other => format!("{other:?}"),
        };
        (pair.key, value)
    };
    attributes.into_iter().map(text).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
