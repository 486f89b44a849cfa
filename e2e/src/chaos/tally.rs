//! What became of requests: pure.

use std::collections::BTreeMap;
use std::time::Duration;

/// What became of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All of its answer came; the time to the first token, of a stream.
    Served(Option<Duration>),
    /// Its answer began and ended with an error that the client sees: a connection that breaks off, or an error event.
    EndedWithError,
    /// There was no connection, or it ended before the answer began.
    NoConnection(String),
    /// Another status than 200, and the beginning of what was said.
    Refused(u16, String),
    /// Its answer ended as if all were well, and was not what was asked for.
    CutSilently,
    /// Nothing came for longer than the client had patience; whether the answer had begun.
    Hung(bool),
}

/// What became of many.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    /// Served whole.
    pub served: u64,
    /// Ended with an error that the client saw, having begun.
    pub ended: u64,
    /// Without a connection, or with one that ended before the answer began.
    pub unconnected: u64,
    /// Ended as if all were well, and were not whole.
    pub cut: u64,
    /// Waited in vain.
    pub hung: u64,
    /// Refused, by status.
    pub refused: BTreeMap<u16, u64>,
    /// Some of what was lost, a line each.
    pub examples: Vec<String>,
    /// Times to the first token of streams, in microseconds.
    ttft: Vec<u32>,
}

/// So many tell what goes wrong.
const EXAMPLES: usize = 5;

// === impl Tally ===

impl Tally {
    /// Counts one more.
    pub fn add(&mut self, outcome: Outcome) {
        let example = match outcome {
            Outcome::Served(ttft) => {
                self.served += 1;
                return self.ttft.extend(ttft.map(|ttft| u32::try_from(ttft.as_micros()).unwrap_or(u32::MAX)));
            }
            Outcome::EndedWithError => return self.ended += 1,
            Outcome::NoConnection(why) => {
                self.unconnected += 1;
                format!("no connection: {why}")
            }
            Outcome::Refused(status, said) => {
                *self.refused.entry(status).or_default() += 1;
                format!("{status}: {said}")
            }
            Outcome::CutSilently => {
                self.cut += 1;
                "an answer that was not whole, without a word".to_owned()
            }
            Outcome::Hung(begun) => {
                self.hung += 1;
                format!("nothing came any more, {}", if begun { "having begun" } else { "from the start" })
            }
        };
        if self.examples.len() < EXAMPLES && !self.examples.contains(&example) {
            self.examples.push(example);
        }
    }

    /// Adds up.
    pub fn merge(&mut self, other: Self) {
        self.served += other.served;
        self.ended += other.ended;
        self.unconnected += other.unconnected;
        self.cut += other.cut;
        self.hung += other.hung;
        other.refused.into_iter().for_each(|(status, count)| *self.refused.entry(status).or_default() += count);
        for example in other.examples {
            if self.examples.len() < EXAMPLES && !self.examples.contains(&example) {
                self.examples.push(example);
            }
        }
        self.ttft.extend(other.ttft);
    }

    /// All of them.
    pub fn requests(&self) -> u64 {
        self.served + self.ended + self.lost()
    }

    /// No first byte although a healthy endpoint was there, or an answer that was cut without an error.
    pub fn lost(&self) -> u64 {
        self.unconnected + self.cut + self.hung + self.refused.values().sum::<u64>()
    }

    /// Connections that ended were meant to end: whoever waited on one saw an error, and lost nothing in silence.
    #[must_use]
    pub fn with_ended_connections(mut self) -> Self {
        self.ended += std::mem::take(&mut self.unconnected);
        self.examples.retain(|example| !example.starts_with("no connection"));
        self
    }

    /// The time to the first token that this share of the streams did not exceed; none were served: `None`.
    pub fn ttft(&self, share: f64) -> Option<Duration> {
        let mut sorted = self.ttft.clone();
        let at = ((sorted.len() as f64 * share) as usize).min(sorted.len().checked_sub(1)?);
        let (_, ttft, _) = sorted.select_nth_unstable(at);
        Some(Duration::from_micros(u64::from(*ttft)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(outcomes: impl IntoIterator<Item = Outcome>) -> Tally {
        let mut tally = Tally::default();
        outcomes.into_iter().for_each(|outcome| tally.add(outcome));
        tally
    }

    #[test]
    fn what_the_client_was_told_of_is_not_lost() {
        let all = tally([
            Outcome::Served(None),
            Outcome::EndedWithError,
            Outcome::NoConnection("refused".to_owned()),
            Outcome::Refused(503, "why".to_owned()),
            Outcome::CutSilently,
            Outcome::Hung(true),
        ]);
        assert_eq!((all.requests(), all.lost(), all.examples.len()), (6, 4, 4));
        let with_ended = all.with_ended_connections();
        assert_eq!((with_ended.requests(), with_ended.lost(), with_ended.ended), (6, 3, 2));
    }

    #[test]
    fn shares_of_times_are_of_all_that_were_merged() {
        let mut all = Tally::default();
        for half in [1..51, 51..101] {
            all.merge(tally(half.map(|ms| Outcome::Served(Some(Duration::from_millis(ms))))));
        }
        assert_eq!(all.ttft(0.5), Some(Duration::from_millis(51)));
        assert_eq!(all.ttft(0.99), Some(Duration::from_millis(100)));
        assert_eq!(Tally::default().ttft(0.5), None);
    }
}
