//! What an OpenTelemetry collector did not take; shown only where there is to be one.

use super::family::{Source, family, pair, sample};
use crate::otlp::Otlp;
use prometheus::proto::{MetricFamily, MetricType};
use std::sync::Arc;

/// The exporters' losses, read when Prometheus asks.
pub(super) struct Exports(pub(super) Arc<Otlp>);

impl Source for Exports {
    fn collect(&self) -> Vec<MetricFamily> {
        let kind = MetricType::COUNTER;
        let lost = self.0.lost();
        let counts = [("spans", lost.spans()), ("metrics", lost.metrics())];
        let samples = counts.map(|(signal, count)| sample(vec![pair("signal", signal)], kind, count as f64));
        let help = "Spans, and exports of all metrics, that the OpenTelemetry collector did not take";
        vec![family("kthena_router_otlp_lost_total", help, kind, samples.to_vec())]
    }
}
