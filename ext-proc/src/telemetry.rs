//! `/metrics`: the process, the table's version, what is in flight.
//!
//! Values are read when Prometheus asks; the request path writes nothing here.

mod process;

use crate::picker::Picker;
use crate::scrape::ScrapeMetrics;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::{Router, routing::get};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;

const CONTENT_TYPE_OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is counted and measured.
#[derive(Debug)]
pub struct Telemetry {
    registry: Registry,
    /// The version of the table that is published; 0 before the first.
    pub table_version: Gauge,
    /// Problems of the configuration in force.
    pub config_problems: Gauge,
    /// What is counted of scrapes.
    pub scrape: Arc<ScrapeMetrics>,
}

#[derive(Debug)]
struct InFlightCollector(Arc<Picker>);

// === impl Telemetry ===

impl Telemetry {
    /// Registers everything that this version measures.
    pub fn new(picker: &Arc<Picker>) -> Self {
        let mut registry = Registry::default();
        let table_version = Gauge::default();
        registry.register(
            "kthena_router_table_version",
            "Version of the routing table that is published",
            table_version.clone(),
        );
        let config_problems = Gauge::default();
        let help = "Problems of the configuration in force";
        registry.register("kthena_router_config_problems", help, config_problems.clone());
        registry.register_collector(Box::new(InFlightCollector(Arc::clone(picker))));
        registry.register_collector(Box::new(process::Process));
        let scrape = ScrapeMetrics::register(&mut registry, picker);
        Self { registry, table_version, config_problems, scrape }
    }

    /// The page of now, in OpenMetrics.
    pub fn page(&self) -> String {
        let mut page = String::new();
        // Writing into a String does not fail.
        let _ = text::encode(&mut page, &self.registry);
        page
    }

    /// `GET /metrics`
    pub fn routes(self: Arc<Self>) -> Router {
        Router::new().route("/metrics", get(metrics)).with_state(self)
    }
}

async fn metrics(State(telemetry): State<Arc<Telemetry>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, CONTENT_TYPE_OPENMETRICS)], telemetry.page())
}

// === impl InFlightCollector ===

impl Collector for InFlightCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let (by_address, total) = self.0.in_flight();
        let sum = ConstGauge::new(total as i64);
        let help = "Requests picked for and not ended";
        sum.encode(encoder.encode_descriptor("kthena_router_in_flight_requests", help, None, sum.metric_type())?)?;
        let help = "Requests picked for an endpoint and not ended";
        let name = "kthena_router_endpoint_in_flight_requests";
        let mut family = encoder.encode_descriptor(name, help, None, sum.metric_type())?;
        for (address, count) in by_address {
            let labels = [("endpoint", &*address)];
            ConstGauge::new(i64::from(count)).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
