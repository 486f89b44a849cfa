//! Waiting for a condition, never for a time.

use std::time::{Duration, Instant};

/// Long enough for a busy machine; only a test that fails waits it out.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// A cold machine compiles the filter in Envoy's workers first.
pub(crate) const READY: Duration = Duration::from_secs(60);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Tries until there is a value; `what` says in the panic what was waited for.
///
/// # Panics
/// When [`DEADLINE`] passes.
pub async fn until<T>(what: &str, attempt: impl AsyncFnMut() -> Option<T>) -> T {
    within(DEADLINE, what, attempt).await
}

/// As [`until`], with a deadline of its own.
pub(crate) async fn within<T>(deadline: Duration, what: &str, mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = attempt().await {
            return value;
        }
        assert!(start.elapsed() < deadline, "waited {deadline:?} in vain for {what}");
        tokio::time::sleep(PAUSE).await;
    }
}
