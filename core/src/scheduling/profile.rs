//! Filters, then weighted scorers, then one picker.

use super::dropped::Dropped;
use super::{
    Arguments, Candidate, Decision, Endpoint, Filter, Known, Load, MaxScore, Picker, Plugin, PrefixArguments, Random,
    Request, Saturated, Scorer,
};
use std::fmt;
use std::sync::Arc;

/// What the built-in rule is called in verdicts: an engine asleep answers health checks and no request.
pub const ASLEEP: &str = "asleep";

/// What verdicts call it that an endpoint failed lately.
pub const EJECTED: &str = "ejected";

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
    scorers: Vec<Box<dyn Scorer>>,
    /// Names and weights, in the scorers' order.
    weights: Arc<[(&'static str, f64)]>,
    picker: Box<dyn Picker>,
}

// === impl Profile ===

impl Profile {
    /// Filters run in order; scorers come with their weights. Without scorers all endpoints tie, and serve.
    pub fn new(filters: Vec<Box<dyn Filter>>, scorers: Vec<(Box<dyn Scorer>, f64)>) -> Self {
        let weights = scorers.iter().map(|(scorer, weight)| (scorer.name(), *weight)).collect();
        let scorers = scorers.into_iter().map(|(scorer, _)| scorer).collect();
        Self { filters, scorers, weights, picker: Box::new(MaxScore) }
    }

    /// Whether a plugin of that name ranks.
    pub fn scores_by(&self, name: &str) -> bool {
        self.weights.iter().any(|(scorer, _)| *scorer == name)
    }

    /// Whether a plugin of that name drops endpoints.
    pub fn filters_by(&self, name: &str) -> bool {
        self.filters.iter().any(|filter| filter.name() == name)
    }

    /// How prompts are to be hashed for it; `None` when nothing that counts looks at [`Known::matched`].
    pub fn prefix(&self) -> Option<PrefixArguments> {
        let counting = self.scorers.iter().zip(&*self.weights).filter(|(_, (_, weight))| *weight > 0.0);
        counting.filter_map(|(scorer, _)| scorer.prefix()).next()
    }

    /// Why `dropped_by` of a verdict drops an endpoint ([`Filter::reason`]); `None` for what is not part of this
    /// profile.
    pub fn reason(&self, dropped_by: &str) -> Option<String> {
        if dropped_by == ASLEEP {
            return Some("its engine is asleep and another one is awake".to_owned());
        }
        if dropped_by == EJECTED {
            return Some("it failed lately and is left out for a while".to_owned());
        }
        self.filters.iter().find(|filter| filter.name() == dropped_by).map(|filter| filter.reason())
    }

    /// Chooses among `endpoints`; `loads` and `known` say of each, in their order, what it does and what is known of it
    /// (nothing, where `known` ends early).
    ///
    /// Before the filters, endpoints asleep go ([`ASLEEP`]) while there is one awake, even if the filters will
    /// drop that one; when all sleep, all stay. Of those awake, the ejected go ([`EJECTED`]) while there is another
    /// that no filter drops.
    ///
    /// When every endpoint was dropped the decision lists no pick and is [`Decision::saturated`].
    pub fn decide<'a>(
        &self,
        request: &Request<'_>,
        endpoints: &Arc<[Endpoint]>,
        loads: Vec<Load>,
        known: impl IntoIterator<Item = Known<'a>>,
        random: &mut Random<'_>,
    ) -> Decision {
        self.decide_by_laps(request, endpoints, loads, known, random, &mut |_| ())
    }

    /// As [`Profile::decide`]; `lap` hears the end of each step, every plugin's once, in order.
    pub fn decide_by_laps<'a>(
        &self,
        request: &Request<'_>,
        endpoints: &Arc<[Endpoint]>,
        loads: Vec<Load>,
        known: impl IntoIterator<Item = Known<'a>>,
        random: &mut Random<'_>,
        lap: &mut dyn FnMut(Lap),
    ) -> Decision {
        let mut candidates: Vec<Candidate<'_>> = Vec::with_capacity(loads.len());
        let mut known = known.into_iter();
        let (mut any_ejected, mut any_asleep, mut best_match) = (false, false, 0.0);
        candidates.extend(loads.iter().map(|load| {
            let known = known.next().unwrap_or_default();
            any_ejected |= known.ejected;
            any_asleep |= load.asleep();
            best_match = if known.matched > best_match { known.matched } else { best_match };
            Candidate::new(load, known)
        }));
        let mut dropped = self.drop(request, &candidates, any_asleep, any_ejected, lap);
        if any_ejected && dropped.last().is_some() {
            // The filters look at the ejected too, and may have wanted one of them: an answer that may fail is better
            // than none. They are timed once.
            dropped = self.drop(request, &candidates, any_asleep, false, &mut |_| ());
        }
        let Ranked { scores, totals, picks } = match dropped.left() {
            // Most often nobody was dropped.
            None => self.rank(request, &candidates, random, lap),
            Some(left) => {
                let kept: Vec<_> = left.iter().filter_map(|index| candidates.get(*index)).copied().collect();
                self.rank(request, &kept, random, lap).among(&left, candidates.len())
            }
        };
        let matched = candidates.iter().map(|candidate| candidate.known.matched).collect();
        let saturated = dropped.last().map(|by| Saturated::new(by, &loads));
        let (scorers, endpoints) = (Arc::clone(&self.weights), Arc::clone(endpoints));
        let dropped = dropped.who();
        Decision { scorers, endpoints, loads, matched, best_match, dropped, totals, scores, picks, saturated }
    }

    /// Drops whoever may not serve, where any are asleep, and with or without the ejected.
    fn drop(
        &self,
        request: &Request<'_>,
        candidates: &[Candidate<'_>],
        asleep: bool,
        ejected: bool,
        lap: &mut dyn FnMut(Lap),
    ) -> Dropped {
        let mut dropped = Dropped::among(candidates.len());
        if asleep && candidates.iter().any(|candidate| !candidate.load.asleep()) {
            dropped.by(ASLEEP, |keep| {
                candidates.iter().zip(keep).for_each(|(candidate, keep)| *keep = !candidate.load.asleep());
            });
        }
        if ejected {
            dropped.by(EJECTED, |keep| {
                // Where the others sleep, one that failed lately is the best that there is.
                if candidates.iter().zip(&*keep).any(|(candidate, keep)| *keep && !candidate.known.ejected) {
                    candidates.iter().zip(keep).for_each(|(candidate, keep)| *keep &= !candidate.known.ejected);
                }
            });
        }
        lap(Lap::Start);
        for filter in &self.filters {
            dropped.by(filter.name(), |keep| filter.filter(request, candidates, keep));
            lap(Lap::Filter(filter.name()));
        }
        dropped
    }

    /// Scores those that are left, and orders them.
    fn rank(
        &self,
        request: &Request<'_>,
        candidates: &[Candidate<'_>],
        random: &mut Random<'_>,
        lap: &mut dyn FnMut(Lap),
    ) -> Ranked {
        let count = candidates.len();
        let mut totals = vec![0.0; count];
        let mut scores = vec![0.0; count * self.scorers.len()];
        lap(Lap::Start);
        let mut rest = &mut scores[..];
        for (scorer, (_, weight)) in self.scorers.iter().zip(&*self.weights) {
            let Some((column, behind)) = rest.split_at_mut_checked(count) else { break };
            rest = behind;
            scorer.score(request, candidates, random, column);
            for (score, total) in column.iter_mut().zip(&mut totals) {
                // What is no number is no reason to prefer anyone: of it and 0, `max` takes 0.
                *score = score.max(0.0).clamp(0.0, 1.0);
                *total += weight * *score;
            }
            lap(Lap::Scorer(scorer.name()));
        }
        let picks = self.picker.pick(&totals, random);
        Ranked { scores, totals, picks }
    }
}

/// What came of the candidates that were left.
struct Ranked {
    /// One scorer after the other.
    scores: Vec<f64>,
    totals: Vec<f64>,
    picks: Vec<usize>,
}

// === impl Ranked ===

impl Ranked {
    /// The same among all endpoints, of which those in `left` were ranked.
    fn among(self, left: &[usize], all: usize) -> Self {
        let spread = |column: &[f64]| {
            let mut spread = vec![0.0; all];
            for (index, figure) in left.iter().zip(column) {
                if let Some(cell) = spread.get_mut(*index) {
                    *cell = *figure;
                }
            }
            spread
        };
        Self {
            scores: self.scores.chunks_exact(left.len().max(1)).flat_map(spread).collect(),
            totals: spread(&self.totals),
            picks: self.picks.iter().filter_map(|pick| left.get(*pick).copied()).collect(),
        }
    }
}

impl Default for Profile {
    /// What upstream's chart configures, and `lora-affinity`, which says nothing of requests for no adapter.
    fn default() -> Self {
        let arguments = Arguments::default();
        let filters = Plugin::FILTERS.into_iter().filter_map(|plugin| plugin.filter(&arguments));
        let ranking =
            [Plugin::LeastRequest, Plugin::GpuUsage, Plugin::LeastLatency, Plugin::PrefixCache, Plugin::LoraAffinity];
        Self::new(filters.collect(), ranking.into_iter().map(|plugin| (plugin.scorer(&arguments), 1.0)).collect())
    }
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile")
            .field("filters", &self.filters.iter().map(|filter| filter.name()).collect::<Vec<_>>())
            .field("scorers", &self.weights)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
