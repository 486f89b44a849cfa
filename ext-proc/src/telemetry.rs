//! `/metrics`: finished requests, requests under way, the process, the table's version.
//!
//! The format is Prometheus's text, version 0.0.4, whatever else a scraper accepts: every one reads it, and
//! names and bounds are spelled as the Go library spells them, on which people's queries rely.

mod family;
mod full;
mod in_flight;
mod labels;
mod live;
mod losses;
mod otlp;
mod process;
mod requests;
mod scrape;
mod value;

pub(crate) use labels::Labels;
pub(crate) use live::{Live, Stopwatch, Underway, Whereto};
pub use scrape::ScrapeMetrics;
pub use value::Gauge;

use crate::access_log::Counts;
use crate::otlp::Otlp;
use crate::picker::Picker;
use arc_swap::ArcSwapOption;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::{Router, routing::get};
use family::{Source, family, pair, sample, single};
use full::Full;
use in_flight::InFlight;
use kthena_core::access_log::Entry;
use losses::Losses;
use process::Process;
use prometheus::TextEncoder;
use prometheus::proto::{MetricFamily, MetricType};
use requests::Requests;
use scrape::Scraped;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

const CONTENT_TYPE_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What is counted and measured.
pub struct Telemetry {
    requests: Requests,
    sources: Vec<Arc<dyn Source>>,
    otlp: Option<Arc<Otlp>>,
    /// What the configuration names; `None` before the first.
    names: ArcSwapOption<HashSet<String>>,
    /// The version of the table that is published; 0 before the first.
    pub table_version: Arc<Gauge>,
    /// Problems of the configuration in force.
    pub config_problems: Arc<Gauge>,
    /// What is counted of scrapes.
    pub scrape: Arc<ScrapeMetrics>,
}

/// What is in force, and which version runs.
struct Configuration {
    table_version: Arc<Gauge>,
    config_problems: Arc<Gauge>,
}

// === impl Telemetry ===

impl Telemetry {
    /// Everything that this version measures, the access log's losses included.
    pub fn new(picker: &Arc<Picker>, losses: &Arc<Counts>) -> Self {
        let (table_version, config_problems) = (Arc::default(), Arc::default());
        let (requests, scrape) = (Requests::new(), Arc::new(ScrapeMetrics::new()));
        let mut sources = requests.sources();
        sources.extend(picker.live().sources());
        sources.push(Arc::new(InFlight(Arc::clone(picker))));
        sources.extend(scrape.sources());
        sources.push(Arc::new(Scraped(Arc::clone(picker))));
        sources.push(Arc::new(Configuration {
            table_version: Arc::clone(&table_version),
            config_problems: Arc::clone(&config_problems),
        }));
        sources.push(Arc::new(Losses(Arc::clone(losses))));
        sources.push(Arc::new(Full(sources.clone())));
        sources.push(Arc::new(Process));
        Self { requests, sources, otlp: None, names: ArcSwapOption::empty(), table_version, config_problems, scrape }
    }

    /// Exports the convention's metrics too, and says on the page what the collector did not take.
    #[must_use]
    pub fn exporting(mut self, otlp: Arc<Otlp>) -> Self {
        self.sources.push(Arc::new(otlp::Exports(Arc::clone(&otlp))));
        self.otlp = Some(otlp);
        self
    }

    /// Counts a request that has ended.
    pub fn observe(&self, entry: &Entry) {
        self.requests.observe(entry, Instant::now());
        if let Some(otlp) = &self.otlp {
            otlp.observe(entry, &Labels::of(entry, ""));
        }
    }

    /// Tells which names the configuration holds: models, adapters, ModelRoutes and ModelServers
    /// (`namespace/name`), and the names that engines are asked for. Series of other names are dropped
    /// once they have been idle for some minutes.
    pub fn configured(&self, names: impl IntoIterator<Item = String>) {
        self.names.store(Some(Arc::new(names.into_iter().collect())));
    }

    /// The page of now.
    pub fn page(&self) -> String {
        let mut page = String::new();
        // Writing into a String does not fail, and no family is empty.
        let _ = TextEncoder::new().encode_utf8(&self.gather(Instant::now()), &mut page);
        page
    }

    /// `GET /metrics`
    pub fn routes(self: Arc<Self>) -> Router {
        Router::new().route("/metrics", get(metrics)).with_state(self)
    }

    /// The families, sorted by name, as of now.
    fn gather(&self, now: Instant) -> Vec<MetricFamily> {
        if let Some(names) = &*self.names.load() {
            self.sources.iter().for_each(|source| source.prune(names, now));
        }
        let mut families: Vec<_> = self.sources.iter().flat_map(|source| source.collect()).collect();
        // A family without samples is an error to the encoder.
        families.retain(|family| !family.get_metric().is_empty());
        families.sort_by(|a, b| a.name().cmp(b.name()));
        families
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").finish_non_exhaustive()
    }
}

async fn metrics(State(telemetry): State<Arc<Telemetry>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, CONTENT_TYPE_TEXT)], telemetry.page())
}

impl Source for Configuration {
    fn collect(&self) -> Vec<MetricFamily> {
        let kind = MetricType::GAUGE;
        let gauge = |name: &str, help: &str, gauge: &Gauge| single(name, help, kind, gauge.get() as f64);
        let version = vec![sample(vec![pair("version", env!("CARGO_PKG_VERSION"))], kind, 1.0)];
        vec![
            gauge("kthena_router_table_version", "Version of the routing table that is published", &self.table_version),
            gauge("kthena_router_config_problems", "Problems of the configuration in force", &self.config_problems),
            family("kthena_router_build_info", "1, labelled with the version that runs", kind, version),
        ]
    }
}

#[cfg(test)]
mod tests;
