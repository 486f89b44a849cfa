//! How much an endpoint's affinity may count for: the rest goes where there is room.
//!
//! What an endpoint has in its cache says nothing of how busy it is, and a popular prompt makes it busy. A score that
//! is the matched share alone sends all of it to one endpoint until that one drops requests, while others idle.

use super::Candidate;
use super::tuning::{FULL, QUEUE, ROOM};

/// What the candidates have together, to compare each with the others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Headroom {
    requests: u64,
    /// 1 for each of the others; infinite for an endpoint alone.
    share: f64,
    least: u32,
    shortest: u32,
}

// === impl Headroom ===

impl Headroom {
    /// Looks at all candidates.
    pub(super) fn among(candidates: &[Candidate<'_>]) -> Self {
        let (mut requests, mut least, mut shortest) = (0, u32::MAX, u32::MAX);
        for candidate in candidates {
            requests += u64::from(candidate.requests);
            least = least.min(candidate.requests);
            shortest = shortest.min(candidate.waiting);
        }
        Self { requests, share: 1.0 / candidates.len().saturating_sub(1) as f64, least, shortest }
    }

    /// The factor for one of them, in [0, 1]: 1 / (1 + q / max(1, r / 8)) for q requests that wait beyond the shortest
    /// queue while r run, times what falls from 1 at l = m + s + 16 to 0 at twice that for l requests, where the others
    /// have m on average and whoever has the fewest has s.
    ///
    /// The mean is of the others, not of all: of two endpoints none ever has more than twice the mean of both. The
    /// fewest count too, or all but one could keep a prompt among them and leave that one idle; alone they would
    /// let one endpoint that everybody shuns, a slow one, end all affinity. Where all queue alike it counts in full:
    /// there is no better place, and what a cache saves shortens every queue.
    pub(super) fn of(&self, candidate: &Candidate<'_>) -> f64 {
        if self.share.is_infinite() {
            return 1.0;
        }
        let queued = match candidate.waiting.saturating_sub(self.shortest) {
            0 => 1.0,
            longer => {
                let running = candidate.load.signals.and_then(|signals| signals.running).unwrap_or(0);
                1.0 / (1.0 + f64::from(longer) / (f64::from(running) * QUEUE).max(1.0))
            }
        };

        let requests = candidate.requests;
        let mean = self.requests.saturating_sub(requests.into()) as f64 * self.share;
        let room = mean + f64::from(self.least) + ROOM;
        if f64::from(requests) <= room {
            return queued;
        }
        let beyond = (f64::from(requests) - room) / (room * FULL - room);
        queued * (1.0 - beyond.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduling::{Known, Load, Signals};
    use proptest::prelude::*;

    fn load(in_flight: u32, running: u32, waiting: u32) -> Load {
        let signals = Signals { running: Some(running), waiting: Some(waiting), ..Signals::default() };
        let then = crate::scheduling::Snapshot { in_flight, tokens: 0 };
        Load { in_flight, then, signals: Some(signals), ..Load::default() }
    }

    fn headroom(loads: &[Load]) -> Vec<f64> {
        let candidates: Vec<_> = loads.iter().map(|load| Candidate::new(load, Known::default())).collect();
        let headroom = Headroom::among(&candidates);
        candidates.iter().map(|candidate| headroom.of(candidate)).collect()
    }

    #[test]
    fn an_endpoint_that_queues_beyond_the_others_has_less() {
        assert_eq!(headroom(&[load(8, 8, 1), load(8, 8, 0)]), [0.5, 1.0]);
        assert_eq!(headroom(&[load(64, 64, 8), load(64, 64, 0)]), [0.5, 1.0]);
        assert_eq!(headroom(&[load(64, 64, 8), load(64, 64, 8)]), [1.0, 1.0], "there is no better place");
    }

    #[test]
    fn an_endpoint_with_much_more_than_the_others_has_less_and_at_last_none() {
        assert_eq!(headroom(&[load(16, 16, 0), load(0, 0, 0)]), [1.0, 1.0]);
        assert_eq!(headroom(&[load(24, 24, 0), load(0, 0, 0)]), [0.5, 1.0]);
        assert_eq!(headroom(&[load(32, 32, 0), load(0, 0, 0)]), [0.0, 1.0], "of two, too");
        assert_eq!(headroom(&[load(36, 36, 0), load(10, 10, 0), load(10, 10, 0)]), [1.0; 3]);
        assert_eq!(headroom(&[load(48, 48, 0), load(48, 48, 0), load(0, 0, 0)])[0], 0.8, "one idles");
        assert_eq!(headroom(&[load(72, 72, 0), load(10, 10, 0), load(10, 10, 0)]), [0.0, 1.0, 1.0]);
    }

    #[test]
    fn an_endpoint_alone_has_all_of_it() {
        assert_eq!(headroom(&[load(900, 100, 800)]), [1.0]);
    }

    proptest! {
        #[test]
        fn more_requests_or_a_longer_queue_never_give_more(
            loads in proptest::collection::vec((0u32..300, 0u32..300, 0u32..300), 2..8), more in 1u32..300,
        ) {
            let mut loads: Vec<_> = loads.into_iter().map(|(flying, running, waiting)| load(flying, running, waiting)).collect();
            let before = headroom(&loads);
            prop_assert!(before.iter().all(|share| (0.0..=1.0).contains(share)), "{:?}", before);
            loads[0].in_flight += more;
            prop_assert!(headroom(&loads)[0] <= before[0]);
        }
    }
}
