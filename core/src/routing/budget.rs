//! How much of an engine's work may be retries.
//!
//! When engines fail because they have too much to do, retries are what keeps them down. So retries in vain are at most a
//! fifth of a ModelServer's requests, a share that Linkerd and Finagle have too, and a few more, so that a quiet fleet
//! loses nothing: of 10 requests in as many seconds each may be retried once, whatever failed.
//!
//! In vain are the retries of a request that failed all the same. Where a retry finds an engine that serves, the fleet is
//! not down: half of it may be, for the second that it takes to notice, and no client need hear of it.
//!
//! Kept by each worker of Envoy for itself, in the filter: it works while the picker is away, no request waits for a lock, and
//! workers see alike shares of the traffic. The share is the same for all; the few more are each worker's.
//!
//! What a spent budget withholds is work: engines that were never reached did none, so that a refused connection is
//! retried all the same. How many retries a request had is known when its answer begins: what
//! is under way at the moment when engines begin to fail is retried as its ModelServer says.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Seconds that count.
const WINDOW: usize = 10;

/// One retry is earned by so many requests: 20 %.
const PER_RETRY: u64 = 5;

/// Retries in a window that need not be earned.
const FLOOR: u64 = 10;

/// The budgets of all ModelServers.
#[derive(Debug, Default)]
pub struct Budgets(HashMap<String, Budget>);

/// One ModelServer's.
#[derive(Debug, Default)]
struct Budget {
    seconds: [Second; WINDOW],
}

#[derive(Debug, Default, Clone, Copy)]
struct Second {
    /// Which second it is, counted from 1: 0 was never used.
    number: u64,
    requests: u64,
    retries: u64,
}

// === impl Budgets ===

impl Budgets {
    /// A request goes on its way to a ModelServer (`namespace/name`); whether it may have retries.
    pub fn request(&mut self, server: &str, now: Duration) -> bool {
        let budget = match self.0.get_mut(server) {
            Some(budget) => budget,
            None => self.0.entry(server.to_owned()).or_default(),
        };
        budget.count(now, |second| second.requests = second.requests.saturating_add(1));
        budget.left(now) > 0
    }

    /// A request to a ModelServer had so many retries and failed.
    pub fn in_vain(&mut self, server: &str, retries: u32, now: Duration) {
        if let Some(budget) = self.0.get_mut(server).filter(|_| retries > 0) {
            budget.count(now, |second| second.retries = second.retries.saturating_add(retries.into()));
        }
    }

    /// Forgets all ModelServers but these.
    pub fn keep<'a>(&mut self, servers: impl IntoIterator<Item = &'a str>) {
        let servers: HashSet<_> = servers.into_iter().collect();
        self.0.retain(|server, _| servers.contains(&**server));
    }
}

// === impl Budget ===

impl Budget {
    /// Retries that it has left.
    fn left(&self, now: Duration) -> u64 {
        let oldest = number(now).saturating_sub(WINDOW as u64 - 1);
        let counted = self.seconds.iter().filter(|second| second.number >= oldest.max(1));
        let (requests, retries) = counted
            .fold((0_u64, 0_u64), |(requests, retries), second| (requests + second.requests, retries + second.retries));
        (FLOOR + requests / PER_RETRY).saturating_sub(retries)
    }

    fn count(&mut self, now: Duration, add: impl FnOnce(&mut Second)) {
        let number = number(now);
        let place = number as usize % WINDOW;
        let Some(second) = self.seconds.get_mut(place) else { return };
        if second.number != number {
            *second = Second { number, ..Second::default() };
        }
        add(second);
    }
}

fn number(now: Duration) -> u64 {
    now.as_secs().saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);
    const A: &str = "default/a";

    /// Sends so many requests, each of which is retried so many times where it may; how many retries there were.
    fn send(budgets: &mut Budgets, server: &str, requests: u32, each: u32, now: Duration) -> u32 {
        (0..requests)
            .map(|_| {
                let retries = if budgets.request(server, now) { each } else { 0 };
                budgets.in_vain(server, retries, now);
                retries
            })
            .sum()
    }

    #[test]
    fn a_quiet_fleet_retries_whatever_fails() {
        let mut budgets = Budgets::default();
        assert_eq!(send(&mut budgets, A, 10, 1, SECOND), 10);
    }

    #[test]
    fn a_fleet_that_fails_is_asked_a_fifth_more_and_no_more() {
        let mut budgets = Budgets::default();
        assert_eq!(send(&mut budgets, A, 1000, 1, SECOND), 10 + 200);
    }

    /// One request in `every` fails wherever it is tried, with four retries; whether all others may be.
    fn left_by_those_that_always_fail(every: u32) -> bool {
        let mut budgets = Budgets::default();
        (0..1000_u32).all(|number| {
            let may = budgets.request(A, SECOND);
            budgets.in_vain(A, if may && number % every == 0 { 4 } else { 0 }, SECOND);
            may
        })
    }

    #[test]
    fn requests_that_fail_everywhere_leave_the_others_theirs_up_to_one_in_twenty() {
        assert!(left_by_those_that_always_fail(20));
        assert!(!left_by_those_that_always_fail(15), "beyond, they spend what all have");
    }

    #[test]
    fn a_second_that_is_ten_seconds_old_counts_no_longer() {
        let mut budgets = Budgets::default();
        assert_eq!(send(&mut budgets, A, 10, 4, Duration::ZERO), 12);
        assert!(!budgets.request(A, 9 * SECOND));
        assert!(budgets.request(A, 10 * SECOND));
    }

    #[test]
    fn model_servers_do_not_spend_each_other_s() {
        let mut budgets = Budgets::default();
        send(&mut budgets, A, 100, 4, SECOND);
        assert!(!budgets.request(A, SECOND));
        assert!(budgets.request("default/b", SECOND));
    }

    #[test]
    fn what_the_table_names_no_longer_is_forgotten() {
        let mut budgets = Budgets::default();
        for server in [A, "default/b"] {
            send(&mut budgets, server, 100, 4, SECOND);
        }
        budgets.keep([A]);
        assert_eq!(budgets.0.keys().collect::<Vec<_>>(), [A]);
        assert!(!budgets.request(A, SECOND) && budgets.request("default/b", SECOND));
    }

    proptest! {
        #[test]
        fn no_ten_seconds_have_more_retries_than_their_share(
            steps in proptest::collection::vec((0_u64..3000, 1_u32..40, 0_u32..5), 1..60),
        ) {
            let (mut budgets, mut now) = (Budgets::default(), Duration::ZERO);
            let mut sent = Vec::new();
            for (pause, requests, each) in steps {
                now += Duration::from_millis(pause);
                let retries = send(&mut budgets, A, requests, each, now);
                sent.push((now.as_secs(), requests, retries));
                let recent = sent.iter().filter(|(second, ..)| second + 10 > now.as_secs());
                let (requests, retries) = recent.fold((0, 0), |sum, (_, requests, retries)| (sum.0 + requests, sum.1 + retries));
                // The last request that had any may have had as many as its ModelServer gives, and what was earned a
                // window ago may be spent until its end.
                prop_assert!(retries <= 2 * (10 + requests / 5) + 4, "{retries} of {requests}");
            }
        }
    }
}
