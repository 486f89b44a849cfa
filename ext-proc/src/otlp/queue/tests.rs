use super::*;
use opentelemetry::trace::{Tracer, TracerProvider};
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::sync::{Condvar, Mutex};

/// A collector that takes batches only while it is told to, and counts the spans that it took.
#[derive(Debug, Clone, Default)]
struct Collector(Arc<(Mutex<State>, Condvar)>);

#[derive(Debug, Default)]
struct State {
    open: bool,
    refuses: bool,
    taken: usize,
}

impl Collector {
    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    fn taken(&self) -> usize {
        self.0.0.lock().unwrap().taken
    }

    fn take(&self, spans: usize) -> OTelSdkResult {
        let mut state = self.0.1.wait_while(self.0.0.lock().unwrap(), |state| !state.open).unwrap();
        if state.refuses {
            return Err(OTelSdkError::InternalFailure("refused".to_owned()));
        }
        state.taken += spans;
        Ok(())
    }
}

impl SpanExporter for Collector {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.take(batch.len())
    }
}

fn provider(collector: &Collector) -> (SdkTracerProvider, Arc<Lost>) {
    let lost = Arc::new(Lost::new("http://c:4317".to_owned()));
    let processor = processor(collector.clone(), Arc::clone(&lost));
    (SdkTracerProvider::builder().with_span_processor(processor).build(), lost)
}

#[test]
fn a_collector_that_hangs_costs_spans_and_holds_up_nobody() {
    let collector = Collector::default();
    let (provider, lost) = provider(&collector);
    let tracer = provider.tracer("t");
    // Were one of these to wait for the collector, this would not end.
    for _ in 0..ROOM + 1000 {
        drop(tracer.start("pick"));
    }
    assert_eq!((lost.spans(), collector.taken()), (1000, 0));
    collector.set(|state| state.open = true);
    provider.force_flush().unwrap();
    assert_eq!((lost.spans(), collector.taken()), (1000, ROOM));
    // There is room again.
    drop(tracer.start("pick"));
    provider.force_flush().unwrap();
    assert_eq!((lost.spans(), collector.taken()), (1000, ROOM + 1));
}

#[test]
fn what_a_collector_refuses_is_lost_and_makes_room() {
    let collector = Collector::default();
    collector.set(|state| (state.open, state.refuses) = (true, true));
    let (provider, lost) = provider(&collector);
    let tracer = provider.tracer("t");
    for _ in 0..3 {
        drop(tracer.start("pick"));
        let _ = provider.force_flush();
    }
    assert_eq!((lost.spans(), collector.taken()), (3, 0));
}
