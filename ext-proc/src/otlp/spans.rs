//! A span of each pick, with what was decided.

use super::Otlp;
use crate::picker::{Picked, Picker};
use kthena_core::gen_ai::span::SERVER;
use kthena_core::scheduling::Request;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{Span, SpanKind, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider, SpanProcessor};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tonic::metadata::{KeyRef, MetadataMap};

/// The span's name.
const PICK: &str = "kthena.pick";

/// Makes spans.
#[derive(Debug)]
pub(crate) struct Spans {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

/// Whose child a pick's span is: Envoy's span of its question, which is sampled.
#[derive(Debug)]
pub(super) struct Parent(Context);

/// A question whose answer leaves a span.
#[derive(Debug)]
pub(crate) struct Asking {
    otlp: Arc<Otlp>,
    parent: Parent,
}

/// A request's metadata, as the propagator reads it.
struct Metadata<'a>(&'a MetadataMap);

// === impl Spans ===

impl Spans {
    pub(super) fn new(processor: impl SpanProcessor + 'static, resource: Resource) -> Self {
        let provider = SdkTracerProvider::builder()
            // Whether there is a trace is Envoy's to say.
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOff)))
            .with_resource(resource)
            .with_span_processor(processor)
            .build();
        let tracer = provider.tracer(super::SERVICE);
        Self { provider, tracer }
    }

    pub(super) fn finish(&self, patience: Duration) {
        let _ = self.provider.shutdown_with_timeout(patience);
    }

    /// The parent of what is asked with that metadata; `None` without a trace, or with one that is not sampled.
    pub(super) fn parent(metadata: &MetadataMap) -> Option<Parent> {
        let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &Metadata(metadata));
        let sampled = context.span().span_context().is_sampled();
        sampled.then_some(Parent(context))
    }

    /// A pick that began then, and ends now.
    fn pick(&self, parent: &Parent, start: SystemTime, attributes: Vec<KeyValue>) {
        let span = self.tracer.span_builder(PICK).with_kind(SpanKind::Server).with_start_time(start);
        self.tracer.build_with_context(span.with_attributes(attributes), &parent.0).end();
    }
}

// === impl Asking ===

impl Asking {
    pub(super) fn new(otlp: Arc<Otlp>, parent: Parent) -> Self {
        Self { otlp, parent }
    }

    /// Leaves the span of an answer that was begun then. `picked` is `None` for a target that nobody published.
    pub(crate) fn picked(&self, began: SystemTime, request: &Request<'_>, picker: &Picker, picked: Option<&Picked>) {
        let profile = picker.with_profile_name(request.target, str::to_owned);
        self.otlp.spans.pick(&self.parent, began, attributes(request, profile, picked));
    }
}

fn attributes(request: &Request<'_>, profile: String, picked: Option<&Picked>) -> Vec<KeyValue> {
    let mut attributes = vec![
        KeyValue::new(SERVER, request.target.to_owned()),
        KeyValue::new("kthena.upstream_model", request.model.to_owned()),
        KeyValue::new("kthena.prompt.estimated_tokens", i64::from(request.tokens)),
        KeyValue::new("kthena.pick.profile", profile),
    ];
    let Some(Picked { decision, prefix, .. }) = picked else {
        attributes.push(KeyValue::new("kthena.pick.candidates", 0));
        return attributes;
    };
    let dropped = decision.verdicts().filter(|verdict| verdict.dropped_by.is_some()).count();
    let mut addresses = decision.addresses();
    attributes.extend(addresses.next().map(|first| KeyValue::new("kthena.pick.endpoint", first.to_string())));
    attributes.extend([
        KeyValue::new("kthena.pick.candidates", number(decision.endpoints.len())),
        KeyValue::new("kthena.pick.dropped", number(dropped)),
        KeyValue::new("kthena.pick.fallbacks", number(addresses.count())),
        KeyValue::new("kthena.pick.saturated", decision.saturated.is_some()),
    ]);
    attributes.extend(decision.saturated.map(|saturated| KeyValue::new("kthena.pick.saturated_by", saturated.by)));
    attributes.extend(prefix.map(|prefix| KeyValue::new("kthena.pick.prefix_match", prefix.best)));
    attributes
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Extractor for Metadata<'_> {
    /// Without the client's `tracestate`: a span takes up to 16 KiB of it, and a batch of those is more than collectors take.
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).filter(|_| key != "tracestate")?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        let ascii = |key| if let KeyRef::Ascii(key) = key { Some(key.as_str()) } else { None };
        self.0.keys().filter_map(ascii).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picker::Pools;
    use kthena_core::scheduling::Profile;
    use opentelemetry_sdk::trace::{InMemorySpanExporter, SimpleSpanProcessor, SpanData};

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

    fn spans() -> (Spans, InMemorySpanExporter) {
        let exporter = InMemorySpanExporter::default();
        (Spans::new(SimpleSpanProcessor::new(exporter.clone()), Resource::builder_empty().build()), exporter)
    }

    fn metadata(traceparent: &str) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        metadata.insert("traceparent", traceparent.parse().unwrap());
        metadata
    }

    fn value(span: &SpanData, key: &str) -> String {
        let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == key);
        found.map(|attribute| attribute.value.as_str().into_owned()).unwrap_or_default()
    }

    #[test]
    fn only_a_sampled_parent_has_children() {
        assert!(Spans::parent(&metadata(&format!("00-{TRACE}-b7ad6b7169203331-01"))).is_some());
        assert!(Spans::parent(&metadata(&format!("00-{TRACE}-b7ad6b7169203331-00"))).is_none());
        assert!(Spans::parent(&metadata("garbage")).is_none());
        assert!(Spans::parent(&MetadataMap::new()).is_none());
    }

    #[test]
    fn a_pick_is_a_child_that_tells_the_decision() {
        let (spans, exporter) = spans();
        let parent = Spans::parent(&metadata(&format!("00-{TRACE}-b7ad6b7169203331-01"))).unwrap();
        let picker = Picker::new(Profile::default());
        let endpoints = (1..=3).map(|i| (([10, 0, 0, i], 8000).into(), format!("default/p-{i}")));
        picker.publish(Pools::new([("default/a".to_owned(), endpoints.collect::<Vec<_>>())]));
        let request = Request { target: "default/a", model: "m", tokens: 12, prefix: &[] };
        let picked = picker.pick_by_laps(&request, None, || 0, |_| ()).unwrap();
        let profile = || picker.with_profile_name(request.target, str::to_owned);
        spans.pick(&parent, SystemTime::now(), attributes(&request, profile(), Some(&picked)));
        spans.pick(&parent, SystemTime::now(), attributes(&request, profile(), None));
        let [made, none] = &exporter.get_finished_spans().unwrap()[..] else { panic!("two spans") };
        assert_eq!((made.name.as_ref(), made.span_context.trace_id().to_string()), (PICK, TRACE.to_owned()));
        assert_eq!(made.parent_span_id.to_string(), "b7ad6b7169203331");
        for (key, expected) in [
            ("kthena.model_server", "default/a"),
            ("kthena.upstream_model", "m"),
            ("kthena.prompt.estimated_tokens", "12"),
            ("kthena.pick.profile", "default"),
            ("kthena.pick.candidates", "3"),
            ("kthena.pick.dropped", "0"),
            ("kthena.pick.fallbacks", "2"),
            ("kthena.pick.saturated", "false"),
        ] {
            assert_eq!(value(made, key), expected, "{key}");
        }
        assert_eq!(value(made, "kthena.pick.endpoint"), picked.destination.split(',').next().unwrap());
        assert_eq!(
            (value(none, "kthena.pick.candidates").as_str(), value(none, "kthena.pick.endpoint").as_str()),
            ("0", "")
        );
    }
}
