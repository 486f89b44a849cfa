//! Filters, then weighted scorers, then one picker.

use super::{
    Arguments, Candidate, Decision, Endpoint, Filter, Load, MaxScore, Picker, Plugin, PrefixArguments, Random, Request,
    Saturated, Scorer, Verdict,
};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

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

    /// How prompts are to be hashed for it; `None` when nothing that counts looks at [`Candidate::matched`].
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

    /// Chooses among `endpoints`; `candidates` says of each, in their order, what is known.
    ///
    /// Before the filters, endpoints asleep go ([`ASLEEP`]) while there is one awake, even if the filters will
    /// drop that one; when all sleep, all stay. Of those awake, the ejected go ([`EJECTED`]) while there is another.
    ///
    /// When every endpoint was dropped the decision lists no pick and is [`Decision::saturated`].
    pub fn decide(
        &self,
        request: &Request<'_>,
        endpoints: &Arc<[Endpoint]>,
        candidates: &[Candidate<'_>],
        random: &mut Random<'_>,
    ) -> Decision {
        self.decide_by_laps(request, endpoints, candidates, random, &mut |_| ())
    }

    /// As [`Profile::decide`]; `lap` hears the end of each step, every plugin's once, in order.
    pub fn decide_by_laps(
        &self,
        request: &Request<'_>,
        endpoints: &Arc<[Endpoint]>,
        candidates: &[Candidate<'_>],
        random: &mut Random<'_>,
        lap: &mut dyn FnMut(Lap),
    ) -> Decision {
        let mut verdicts: Vec<Verdict> = candidates.iter().map(Verdict::of).collect();
        let any_awake = candidates.iter().any(|candidate| !candidate.load.asleep());
        let mut keep: Vec<bool> = candidates.iter().map(|candidate| !(any_awake && candidate.load.asleep())).collect();
        dropped(&mut verdicts, &keep, ASLEEP);
        // Where the others sleep, one that failed lately is the best that there is.
        if candidates.iter().zip(&keep).any(|(candidate, keep)| *keep && !candidate.ejected) {
            candidates.iter().zip(&mut keep).for_each(|(candidate, keep)| *keep &= !candidate.ejected);
            dropped(&mut verdicts, &keep, EJECTED);
        }
        lap(Lap::Start);
        let mut emptied_by = None;
        for filter in &self.filters {
            filter.filter(request, candidates, &mut keep);
            dropped(&mut verdicts, &keep, filter.name());
            if emptied_by.is_none() && !keep.contains(&true) {
                emptied_by = Some(filter.name());
            }
            lap(Lap::Filter(filter.name()));
        }
        let mut left: Vec<usize> = Vec::with_capacity(candidates.len());
        left.extend((0..).zip(&keep).filter(|(_, keep)| **keep).map(|(index, _)| index));
        // Most often nobody was dropped.
        let kept: Cow<'_, [Candidate<'_>]> = match left.len() == candidates.len() {
            true => candidates.into(),
            false => left.iter().filter_map(|index| candidates.get(*index)).copied().collect(),
        };

        let count = self.scorers.len();
        let mut totals = vec![0.0; kept.len()];
        let mut column = vec![0.0; kept.len()];
        let mut scores = vec![0.0; candidates.len() * count];
        lap(Lap::Start);
        for (place, (scorer, (_, weight))) in self.scorers.iter().zip(&*self.weights).enumerate() {
            column.fill(0.0);
            scorer.score(request, &kept, random, &mut column);
            for ((index, score), total) in left.iter().zip(&column).zip(&mut totals) {
                // What is no number is no reason to prefer anyone.
                let score = if score.is_nan() { 0.0 } else { score.clamp(0.0, 1.0) };
                *total += weight * score;
                if let Some(cell) = scores.get_mut(index * count + place) {
                    *cell = score;
                }
            }
            lap(Lap::Scorer(scorer.name()));
        }
        for (index, total) in left.iter().zip(&totals) {
            if let Some(verdict) = verdicts.get_mut(*index) {
                (verdict.scored, verdict.total) = (true, *total);
            }
        }

        let picks: Vec<usize> =
            self.picker.pick(&totals, random).into_iter().filter_map(|pick| left.get(pick).copied()).collect();
        let saturated = emptied_by.filter(|_| !verdicts.is_empty());
        let saturated = saturated.map(|by| Saturated { by, retry_after: retry_after(&verdicts) });
        Decision {
            scorers: Arc::clone(&self.weights),
            endpoints: Arc::clone(endpoints),
            verdicts,
            scores,
            picks,
            saturated,
        }
    }
}

/// Notes who dropped what is not kept any more.
fn dropped(verdicts: &mut [Verdict], keep: &[bool], by: &'static str) {
    if !keep.contains(&false) {
        return;
    }
    for (verdict, keep) in verdicts.iter_mut().zip(keep) {
        if !keep && verdict.dropped_by.is_none() {
            verdict.dropped_by = Some(by);
        }
    }
}

/// When it is worth to ask again, in whole seconds: once the shortest queue of an engine that is awake has a place.
///
/// A queue of w behind r that run, each taking d seconds, moves up by one every d / r. Without figures, or with
/// figures that say less, a second; a minute at the most.
fn retry_after(verdicts: &[Verdict]) -> Duration {
    let wait = |load: &Load| {
        let running = f64::from(load.signals?.running?.max(1));
        Some(f64::from(load.waiting()?) * load.duration? / running)
    };
    let awake = verdicts.iter().map(|verdict| &verdict.load).filter(|load| !load.asleep());
    let shortest = awake.filter_map(wait).min_by(f64::total_cmp).unwrap_or(1.0);
    // An engine must not be asked for before its next scrape says more.
    Duration::from_secs(shortest.ceil().clamp(1.0, 60.0) as u64)
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
