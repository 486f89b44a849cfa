//! Any bytes as an engine's page of metrics: what is read does not depend on the chunks, and is in its bounds.

use crate::somewhere;
use kthena_core::engine::{EngineType, MetricsReader, Observer, Reading, read_models};

/// Feeds the bytes.
///
/// # Panics
/// When something that must hold does not.
pub fn run(page: &[u8]) {
    for engine in [EngineType::Vllm, EngineType::Sglang] {
        let whole = read(engine, [page]);
        let (first, rest) = page.split_at(somewhere(page));
        assert_eq!(read(engine, page.chunks(1)), whole);
        assert_eq!(read(engine, [first, rest]), whole);

        // The second page is the first one's half, as after a restart.
        let mut observer = Observer::default();
        for reading in [whole, read(engine, [first])] {
            let Ok(observation) = observer.observe(&reading) else { continue };
            let signals = observation.signals;
            assert!(signals.kv_cache_usage.is_none_or(|usage| (0.0..=1.0).contains(&usage)));
            assert!(signals.ttft.into_iter().chain(signals.tpot).all(|mean| mean.is_finite() && mean >= 0.0));
        }
    }
    let _ = read_models(page);
}

fn read<'a>(engine: EngineType, chunks: impl IntoIterator<Item = &'a [u8]>) -> Reading {
    let mut reader = MetricsReader::new(engine);
    for chunk in chunks {
        reader.feed(chunk);
    }
    reader.finish()
}
