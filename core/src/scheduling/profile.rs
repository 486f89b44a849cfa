//! Filters, then weighted scorers, then one picker.

use super::{Decision, Endpoint, Filter, LeastRequest, MaxScore, Picker, Random, Request, Scorer, Verdict};
use std::fmt;

/// What the built-in rule is called in verdicts: an engine asleep answers health checks and no request.
pub const ASLEEP: &str = "asleep";

/// A step of a decision that has just ended, for whoever holds a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lap {
    /// What is done between plugins.
    Start,
    /// A filter looked at every endpoint that was left.
    Filter(&'static str),
    /// A scorer scored every candidate.
    Scorer(&'static str),
}

/// A way of choosing.
pub struct Profile {
    filters: Vec<Box<dyn Filter>>,
    scorers: Vec<(Box<dyn Scorer>, f64)>,
    picker: Box<dyn Picker>,
}

// === impl Profile ===

impl Profile {
    /// Filters run in order; scorers come with their weights. Without scorers all endpoints tie, and serve.
    pub fn new(filters: Vec<Box<dyn Filter>>, scorers: Vec<(Box<dyn Scorer>, f64)>) -> Self {
        Self { filters, scorers, picker: Box::new(MaxScore) }
    }

    /// Why `dropped_by` of a verdict drops an endpoint ([`Filter::reason`]); `None` for what is not part of this
    /// profile.
    pub fn reason(&self, dropped_by: &str) -> Option<String> {
        if dropped_by == ASLEEP {
            return Some("its engine is asleep and another one is awake".to_owned());
        }
        self.filters.iter().find(|filter| filter.name() == dropped_by).map(|filter| filter.reason())
    }

    /// Chooses among `endpoints`.
    ///
    /// Before the filters, endpoints asleep go ([`ASLEEP`]) while there is one awake, even if the filters will
    /// drop that one; when all sleep, all stay.
    ///
    /// When every endpoint was dropped the decision lists no pick, and whoever balances instead knows nothing of
    /// sleep. So if some of them are asleep and the filters dropped every one that is awake, those awake are ranked
    /// as if there were no filter; their verdicts keep both `dropped_by` and scores.
    pub fn decide(&self, request: &Request<'_>, endpoints: &[Endpoint], random: &mut Random<'_>) -> Decision {
        self.decide_by_laps(request, endpoints, random, &mut |_| ())
    }

    /// As [`Profile::decide`]; `lap` hears the end of each step, every plugin's once, in order.
    pub fn decide_by_laps(
        &self,
        request: &Request<'_>,
        endpoints: &[Endpoint],
        random: &mut Random<'_>,
        lap: &mut dyn FnMut(Lap),
    ) -> Decision {
        let mut verdicts: Vec<Verdict> = endpoints.iter().map(Verdict::of).collect();
        let any_awake = endpoints.iter().any(|endpoint| !endpoint.load.asleep());
        for (endpoint, verdict) in endpoints.iter().zip(&mut verdicts) {
            verdict.dropped_by = (any_awake && endpoint.load.asleep()).then_some(ASLEEP);
        }
        lap(Lap::Start);
        for filter in &self.filters {
            let left = endpoints.iter().zip(&mut verdicts).filter(|(_, verdict)| verdict.dropped_by.is_none());
            for (endpoint, verdict) in left {
                verdict.dropped_by = (!filter.keep(request, endpoint)).then(|| filter.name());
            }
            lap(Lap::Filter(filter.name()));
        }
        let where_dropped = |by: fn(Option<&'static str>) -> bool| -> Vec<usize> {
            verdicts.iter().enumerate().filter(|(_, v)| by(v.dropped_by)).map(|(index, _)| index).collect()
        };
        let mut kept = where_dropped(|by| by.is_none());
        if kept.is_empty() && verdicts.iter().any(|verdict| verdict.dropped_by == Some(ASLEEP)) {
            kept = where_dropped(|by| by != Some(ASLEEP));
        }
        let candidates: Vec<&Endpoint> = kept.iter().filter_map(|index| endpoints.get(*index)).collect();

        let mut totals = vec![0.0; candidates.len()];
        let mut scores = vec![0.0; candidates.len()];
        lap(Lap::Start);
        for (scorer, weight) in &self.scorers {
            scores.fill(0.0);
            scorer.score(request, &candidates, random, &mut scores);
            for ((index, score), total) in kept.iter().zip(&scores).zip(&mut totals) {
                let score = score.clamp(0.0, 1.0);
                *total += weight * score;
                if let Some(verdict) = verdicts.get_mut(*index) {
                    verdict.scores.push(score);
                    verdict.total = *total;
                }
            }
            lap(Lap::Scorer(scorer.name()));
        }

        let picks = self.picker.pick(&totals, random).into_iter().filter_map(|pick| kept.get(pick).copied()).collect();
        let scorers = self.scorers.iter().map(|(scorer, weight)| (scorer.name(), *weight)).collect();
        Decision { scorers, verdicts, picks }
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self::new(Vec::new(), vec![(Box::new(LeastRequest), 1.0)])
    }
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile")
            .field("filters", &self.filters.iter().map(|filter| filter.name()).collect::<Vec<_>>())
            .field("scorers", &self.scorers.iter().map(|(s, weight)| (s.name(), weight)).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
