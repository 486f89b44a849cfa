//! What bounds Envoy as a whole: its memory, its connections, and how long it waits for clients.
//!
//! Bounds of a single request (its body, its headers) are where they are rendered; `docs/reliability.md` lists all.

use std::time::Duration;

/// Never less than this for Envoy's heap: an idle one has some 20 MiB.
const LEAST_HEAP: u64 = 64 << 20;

/// Never more connections than this from clients, whatever files there are: 0.7 GiB when idle, at the 14.4 KiB
/// each that were measured.
const MOST_CONNECTIONS: u64 = 50_000;

/// Files that Envoy has open for itself: sockets of its workers, logs, the picker's connections, the admin's.
const OWN_FILES: u64 = 512;

/// How much one Envoy may take on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Bytes of heap: at 90 % Envoy gives memory back, at 95 % it refuses new requests and begins to reset the streams that
    /// hold the most. What the filter's VMs take (some 15 MiB a worker) is not counted here.
    pub heap: u64,
    /// Connections of clients at a time; whoever comes then is closed at once.
    pub connections: u64,
}

/// How long Envoy waits for clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For a request's headers; 408 then.
    pub headers: Duration,
    /// For a whole request, its body included, to come; 408 then. What the engine takes after that does not
    /// count.
    pub request: Duration,
    /// For the next request on a connection; it is closed then.
    pub connection_idle: Duration,
}

// === impl Capacity ===

impl Capacity {
    /// What is sensible where there are so many bytes of memory and so many files may be open.
    ///
    /// Half of the memory is left to what heap does not count and to the others on a laptop. Half of the files is
    /// left to connections to engines: without one Envoy answers 503, so that idle clients would keep all others out.
    pub fn of(memory: u64, files: u64) -> Self {
        let connections = (files.saturating_sub(OWN_FILES) / 2).clamp(1, MOST_CONNECTIONS);
        Self { heap: (memory / 2).max(LEAST_HEAP), connections }
    }
}

// === impl Patience ===

impl Default for Patience {
    fn default() -> Self {
        Self {
            headers: Duration::from_secs(10),
            // 64 MiB at 1.8 Mbit/s.
            request: Duration::from_secs(5 * 60),
            // Load balancers in front keep idle connections for up to 10 minutes; whoever reuses one that we are
            // about to close loses a request, so ours is the longer.
            connection_idle: Duration::from_secs(11 * 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn half_of_what_there_is_is_left_to_others() {
        assert_eq!(Capacity::of(8 * GIB, 20_512), Capacity { heap: 4 * GIB, connections: 10_000 });
    }

    #[test]
    fn little_or_nothing_known_still_serves_and_plenty_is_bounded() {
        assert_eq!(Capacity::of(0, 0), Capacity { heap: LEAST_HEAP, connections: 1 });
        assert_eq!(Capacity::of(0, u64::MAX).connections, MOST_CONNECTIONS);
    }

    #[test]
    fn connections_outlive_those_of_load_balancers_in_front() {
        assert!(Patience::default().connection_idle > Duration::from_secs(600));
    }
}
