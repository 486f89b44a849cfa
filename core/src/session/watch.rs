//! The requests whose patience is looked after, by the time of their next look.

use super::{Patience, Patient, Progress};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// Looks that are due within so much of each other are made together: timers count in milliseconds.
const TOGETHER: Duration = Duration::from_millis(1);

/// Requests on their way, by an id of the host's. It holds those that wait for an answer's headers and no others.
#[derive(Debug, Default)]
pub struct Watch {
    requests: HashMap<u32, Watched>,
    due: BTreeSet<(Duration, u32)>,
}

#[derive(Debug)]
struct Watched {
    patience: Patience,
    /// When it was last looked at.
    last: Duration,
    /// When it is looked at next.
    next: Duration,
}

// === impl Watch ===

impl Watch {
    /// Begins to look after a request that goes on its way now.
    pub fn begin(&mut self, id: u32, patience: Patience, now: Duration) {
        let next = patience.first_look();
        self.end(id);
        self.due.insert((next, id));
        self.requests.insert(id, Watched { patience, last: now, next });
    }

    /// Looks after a request no longer; whether it did.
    pub fn end(&mut self, id: u32) -> bool {
        let Some(request) = self.requests.remove(&id) else { return false };
        self.due.remove(&(request.next, id));
        true
    }

    /// When the next look is due.
    pub fn next(&self) -> Option<Duration> {
        self.due.first().map(|(next, _)| *next)
    }

    /// Makes the looks that are due, and answers whom to give up on, who is looked after no longer.
    pub fn look(&mut self, now: Duration, mut progress: impl FnMut(u32) -> Progress) -> Vec<u32> {
        let mut given_up = Vec::new();
        while let Some((due, id)) = self.due.first().copied().filter(|(due, _)| *due <= now + TOGETHER) {
            self.due.remove(&(due, id));
            let Some(request) = self.requests.get_mut(&id) else { continue };
            match request.patience.look(progress(id), request.last, now) {
                Patient::Until(next) => {
                    // Later than now in any case, so that this ends.
                    request.next = next.max(now + 2 * TOGETHER);
                    request.last = now;
                    self.due.insert((request.next, id));
                }
                Patient::Not => {
                    self.requests.remove(&id);
                    given_up.push(id);
                }
            }
        }
        given_up
    }

    /// How many it looks after.
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Whether it looks after none.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn patience(now: Duration) -> Patience {
        Patience::new(80 * MS, 5, now).unwrap()
    }

    #[test]
    fn it_asks_only_after_those_that_are_due() {
        let mut watch = Watch::default();
        for (id, now) in [(1, 0), (2, 5), (3, 50)] {
            watch.begin(id, patience(now * MS), now * MS);
        }
        assert_eq!(watch.next(), Some(10 * MS));
        let mut asked = Vec::new();
        let mut look = |now| {
            watch.look(now, |id| {
                asked.push(id);
                Progress { tries: 1, connected: true }
            })
        };
        assert_eq!((look(9 * MS), look(14 * MS)), (vec![], vec![]));
        assert_eq!(asked, [1, 2]);
    }

    #[test]
    fn what_has_ended_leaves_nothing_behind() {
        let mut watch = Watch::default();
        watch.begin(1, patience(MS), MS);
        watch.begin(1, patience(2 * MS), 2 * MS);
        assert_eq!((watch.len(), watch.next()), (1, Some(12 * MS)));
        assert_eq!((watch.end(1), watch.end(1)), (true, false));
        assert_eq!((watch.is_empty(), watch.next()), (true, None));
    }

    #[test]
    fn who_is_given_up_on_is_told_once() {
        let mut watch = Watch::default();
        watch.begin(7, patience(Duration::ZERO), Duration::ZERO);
        let (mut now, mut given_up) = (Duration::ZERO, Vec::new());
        while let Some(next) = watch.next() {
            now = next.max(now);
            let tries = if now < 81 * MS { 1 } else { 2 };
            given_up.extend(watch.look(now, |_| Progress { tries, connected: true }));
        }
        assert_eq!(given_up, [7]);
        assert!(now <= 165 * MS, "{now:?}");
    }
}
