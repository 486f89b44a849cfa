//! The convention's metrics of a model server, and its metric of tokens, from requests that have ended.
//!
//! Attributes are from the same sets as the labels of the Prometheus page: no client can widen them.

use crate::telemetry::Labels;
use kthena_core::access_log::Entry;
use kthena_core::gen_ai;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter};

/// The convention's buckets, in seconds.
const DURATIONS: [f64; 14] = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const FIRST_TOKENS: [f64; 16] =
    [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
const OUTPUT_TOKENS: [f64; 13] = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5];
/// The convention's buckets, in tokens: powers of 4.
const TOKENS: [f64; 14] = {
    let mut bounds = [1.0; 14];
    let mut i = 1;
    while i < bounds.len() {
        bounds[i] = bounds[i - 1] * 4.0;
        i += 1;
    }
    bounds
};

/// The instruments.
#[derive(Debug)]
pub(super) struct Metrics {
    duration: Histogram<f64>,
    first_token: Histogram<f64>,
    per_output_token: Histogram<f64>,
    tokens: Histogram<u64>,
}

// === impl Metrics ===

impl Metrics {
    pub(super) fn new(meter: &Meter) -> Self {
        let seconds = |name: &'static str, description: &'static str, bounds: &[f64]| {
            let histogram = meter.f64_histogram(name).with_unit("s").with_description(description);
            histogram.with_boundaries(bounds.to_vec()).build()
        };
        Self {
            duration: seconds(
                "gen_ai.server.request.duration",
                "From the client's first byte to the last one that it got",
                &DURATIONS,
            ),
            first_token: seconds(
                "gen_ai.server.time_to_first_token",
                "From the client's first byte to the first chunk with content of a streamed answer",
                &FIRST_TOKENS,
            ),
            per_output_token: seconds(
                "gen_ai.server.time_per_output_token",
                "Mean time of each output token after the first, one value for a streamed answer",
                &OUTPUT_TOKENS,
            ),
            tokens: meter
                .u64_histogram("gen_ai.client.token.usage")
                .with_unit("{token}")
                .with_description("Tokens as the engine reported them")
                .with_boundaries(TOKENS.to_vec())
                .build(),
        }
    }

    /// Requests whose model was not read, and paths that ask nothing of a model, are not measured.
    pub(super) fn observe(&self, entry: &Entry, labels: &Labels<'_>) {
        let Some(operation) = gen_ai::operation(&entry.path).filter(|_| !entry.model.is_empty()) else { return };
        let mut attributes = vec![
            KeyValue::new(gen_ai::OPERATION, operation),
            KeyValue::new(gen_ai::PROVIDER_NAME, gen_ai::PROVIDER),
            KeyValue::new(gen_ai::REQUEST_MODEL, labels.model.to_owned()),
        ];
        if entry.bound.is_some() {
            attributes.push(KeyValue::new(gen_ai::RESPONSE_MODEL, labels.upstream_model.to_owned()));
            attributes.push(KeyValue::new(gen_ai::span::SERVER, labels.backend.to_owned()));
        }
        if let Some(usage) = entry.usage {
            for (kind, count) in [("input", usage.input), ("output", usage.output)] {
                let kind = KeyValue::new(gen_ai::TOKEN_TYPE, kind);
                self.tokens.record(count, &[attributes.as_slice(), &[kind]].concat());
            }
        }
        if labels.failed() {
            attributes.push(KeyValue::new(gen_ai::ERROR, labels.error));
        } else if let Some(chunks) = &entry.chunks {
            self.first_token.record(chunks.first.as_secs_f64(), &attributes);
            // The first token is in the time to first token: with one token there is no pace.
            let after_first = entry.usage.map_or(0, |usage| usage.output.saturating_sub(1));
            if after_first > 0 {
                self.per_output_token.record(chunks.span.as_secs_f64() / after_first as f64, &attributes);
            }
        }
        self.duration.record(entry.phases.total.as_secs_f64(), &attributes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kthena_core::access_log::{Bound, Chunks, Failure, Kind, Phases, Usage};
    use opentelemetry::metrics::MeterProvider;
    use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData};
    use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
    use std::collections::BTreeMap;
    use std::time::Duration;

    /// `name{attribute=value,...}`, sorted, and the count and sum of each.
    fn measured(entries: &[Entry]) -> BTreeMap<String, (u64, f64)> {
        let exporter = InMemoryMetricExporter::default();
        let provider =
            SdkMeterProvider::builder().with_reader(PeriodicReader::builder(exporter.clone()).build()).build();
        let metrics = Metrics::new(&provider.meter("t"));
        entries.iter().for_each(|entry| metrics.observe(entry, &Labels::of(entry, "200")));
        provider.force_flush().unwrap();
        let mut all = BTreeMap::new();
        let shown = |name: &str, attributes: &mut dyn Iterator<Item = &KeyValue>| {
            let mut pairs: Vec<_> = attributes.map(|pair| format!("{}={}", pair.key, pair.value)).collect();
            pairs.sort();
            format!("{name}{{{}}}", pairs.join(","))
        };
        for resource in exporter.get_finished_metrics().unwrap() {
            for metric in resource.scope_metrics().flat_map(|scope| scope.metrics()) {
                match metric.data() {
                    AggregatedMetrics::F64(MetricData::Histogram(data)) => data.data_points().for_each(|point| {
                        all.insert(shown(metric.name(), &mut point.attributes()), (point.count(), point.sum()));
                    }),
                    AggregatedMetrics::U64(MetricData::Histogram(data)) => data.data_points().for_each(|point| {
                        all.insert(shown(metric.name(), &mut point.attributes()), (point.count(), point.sum() as f64));
                    }),
                    other => panic!("{other:?}"),
                }
            }
        }
        all
    }

    fn served() -> Entry {
        Entry {
            status: 200,
            path: "/v1/chat/completions".to_owned(),
            model: "m".to_owned(),
            model_known: true,
            bound: Some(Bound {
                backend_type: "model_server",
                backend: "default/s".to_owned(),
                upstream_model: "org/m".to_owned(),
            }),
            usage: Some(Usage { input: 7, output: 11 }),
            chunks: Some(Chunks {
                first: Duration::from_millis(250),
                span: Duration::from_secs(1),
                ..Chunks::default()
            }),
            phases: Phases { total: Duration::from_millis(1500), ..Phases::default() },
            ..Entry::default()
        }
    }

    const MODEL: &str = "gen_ai.operation.name=chat,gen_ai.provider.name=kthena,gen_ai.request.model=m,\
        gen_ai.response.model=org/m";

    #[test]
    fn a_streamed_answer_is_measured_by_all_four() {
        let all = measured(&[served()]);
        for (name, extra, sum) in [
            ("gen_ai.server.request.duration", "", 1.5),
            ("gen_ai.server.time_to_first_token", "", 0.25),
            ("gen_ai.server.time_per_output_token", "", 0.1),
            ("gen_ai.client.token.usage", ",gen_ai.token.type=input", 7.0),
            ("gen_ai.client.token.usage", ",gen_ai.token.type=output", 11.0),
        ] {
            let key = format!("{name}{{{MODEL}{extra},kthena.model_server=default/s}}");
            assert_eq!(all.get(&key), Some(&(1, sum)), "{key} in {all:#?}");
        }
        assert_eq!(all.len(), 5);
    }

    #[test]
    fn a_failure_has_its_type_and_no_pace_and_a_made_up_name_is_one_of_many() {
        let failure = Some(Failure { kind: Kind::Proxy.name(), message: "words".to_owned() });
        let failed = Entry { status: 503, failure, usage: None, ..served() };
        let unknown = |name: &str| Entry {
            model: name.to_owned(),
            model_known: false,
            bound: None,
            usage: None,
            ..failed.clone()
        };
        let all = measured(&[failed.clone(), unknown("made up"), unknown("made up too")]);
        let keys: Vec<_> = all.iter().map(|(key, (count, _))| (key.as_str(), *count)).collect();
        let failed =
            format!("gen_ai.server.request.duration{{error.type=proxy,{MODEL},kthena.model_server=default/s}}");
        let unknown = "gen_ai.server.request.duration{error.type=proxy,gen_ai.operation.name=chat,\
            gen_ai.provider.name=kthena,gen_ai.request.model=unknown}";
        assert_eq!(keys, [(failed.as_str(), 1), (unknown, 2)]);
    }

    #[test]
    fn what_asks_nothing_of_a_model_is_not_measured() {
        let list = Entry { path: "/v1/models".to_owned(), ..served() };
        let unread = Entry { model: String::new(), ..served() };
        assert!(measured(&[list, unread]).is_empty());
    }

    #[test]
    fn the_buckets_of_tokens_are_the_convention_s() {
        assert_eq!((TOKENS[1], TOKENS[13]), (4.0, 67_108_864.0));
    }
}
