//! The scheduler of upstream Kthena, formula by formula, to compare with.
//!
//! Scores are integers from 0 to 100, truncated; the weighted sum decides, equals are drawn by lot. Requests in flight
//! are counted at once; everything else is as old as the last page. (Its `topKMatches`, 5, is no limit for so few
//! engines.)

mod prefix;

use std::collections::HashMap;
use std::time::Duration;

use fastrand::Rng;
use kthena_simulator::Snapshot;

use super::{Policy, Request, mean_since};
use prefix::{PrefixCache, chain};

/// One of its scorers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Score {
    /// In flight, and a hundred times those of them that no page has shown running yet.
    LeastRequest,
    /// The formula of the time when upstream's figures were published: running, and a hundred times waiting, both
    /// from the last page.
    LeastRequestThen,
    /// The free share of the KV cache.
    GpuUsage,
    /// TTFT and TPOT between the last two pages, half and half, each from the best (100) to the worst (0).
    LeastLatency,
    /// The share of the prompt's first 8 KB that an engine has answered before.
    PrefixCache,
}

/// A profile of upstream's.
#[derive(Debug)]
pub struct Upstream {
    scores: Vec<Score>,
    /// Engines with so many waiting requests are not chosen.
    max_waiting: u64,
    engines: Vec<Seen>,
    prefixes: PrefixCache,
    /// Hashes of what is in flight.
    chains: HashMap<u64, Vec<u64>>,
}

/// What is known of an engine.
#[derive(Debug, Clone, Default)]
struct Seen {
    in_flight: u64,
    page: Snapshot,
    /// Seconds; 0 until measured.
    ttft: f64,
    tpot: f64,
}

const MAX_WAITING: u64 = 10;

// === impl Upstream ===

impl Upstream {
    /// Every score with weight 1, and the `least-request` filter if `filtered`.
    pub fn new(engines: usize, scores: &[Score], filtered: bool) -> Self {
        Self {
            scores: scores.to_vec(),
            max_waiting: if filtered { MAX_WAITING } else { u64::MAX },
            engines: vec![Seen::default(); engines],
            prefixes: PrefixCache::new(engines),
            chains: HashMap::new(),
        }
    }

    /// What the Helm chart configures.
    pub fn helm_default(engines: usize) -> Self {
        let scores = [Score::LeastRequest, Score::GpuUsage, Score::LeastLatency, Score::PrefixCache];
        Self::new(engines, &scores, true)
    }

    fn add_score(&self, score: Score, chain: &[u64], candidates: &[usize], totals: &mut [u64]) {
        let seen = || candidates.iter().filter_map(|engine| self.engines.get(*engine));
        let scores: Vec<u64> = match score {
            Score::LeastRequest => fewest(seen().map(|seen| {
                let running = seen.page.running;
                seen.in_flight + 100 * seen.in_flight.saturating_sub(running)
            })),
            Score::LeastRequestThen => fewest(seen().map(|seen| seen.page.running + 100 * seen.page.waiting)),
            Score::GpuUsage => seen().map(|seen| ((1.0 - seen.page.kv_cache_usage) * 100.0) as u64).collect(),
            Score::LeastLatency => {
                let measured = |seen: &&Seen| seen.ttft > 0.0 && seen.tpot > 0.0;
                let ttft = Range::of(seen().filter(measured).map(|seen| seen.ttft));
                let tpot = Range::of(seen().filter(measured).map(|seen| seen.tpot));
                seen()
                    .map(|seen| {
                        if !measured(&seen) {
                            return 50;
                        }
                        (0.5 * ttft.score(seen.ttft) + 0.5 * tpot.score(seen.tpot)) as u64
                    })
                    .collect()
            }
            Score::PrefixCache => {
                let all = chain.len().max(1) as u64;
                candidates.iter().map(|engine| self.prefixes.matched(*engine, chain) as u64 * 100 / all).collect()
            }
        };
        for (total, score) in totals.iter_mut().zip(scores) {
            *total += score;
        }
    }
}

impl Policy for Upstream {
    fn pick(&mut self, request: &Request, _: Duration, random: &mut Rng) -> Option<usize> {
        let chain = if self.scores.contains(&Score::PrefixCache) { chain(&request.prompt) } else { Vec::new() };
        let candidates: Vec<usize> = self
            .engines
            .iter()
            .enumerate()
            .filter(|(_, seen)| seen.page.waiting < self.max_waiting)
            .map(|(engine, _)| engine)
            .collect();
        let mut totals = vec![0; candidates.len()];
        for score in &self.scores {
            self.add_score(*score, &chain, &candidates, &mut totals);
        }
        let best = totals.iter().max()?;
        let equals: Vec<usize> =
            candidates.iter().zip(&totals).filter(|(_, total)| *total == best).map(|(engine, _)| *engine).collect();
        let picked = random.choice(equals)?;
        self.engines.get_mut(picked)?.in_flight += 1;
        self.chains.insert(request.id, chain);
        Some(picked)
    }

    fn ended(&mut self, request: &Request, engine: usize, _: Duration) {
        if let Some(seen) = self.engines.get_mut(engine) {
            seen.in_flight = seen.in_flight.saturating_sub(1);
        }
        if let Some(chain) = self.chains.remove(&request.id) {
            self.prefixes.learn(engine, &chain);
        }
    }

    fn scraped(&mut self, engine: usize, page: &Snapshot, _: Duration) {
        let Some(seen) = self.engines.get_mut(engine) else { return };
        seen.ttft = mean_since(seen.page.ttft, page.ttft).unwrap_or(seen.ttft);
        seen.tpot = mean_since(seen.page.tpot, page.tpot).unwrap_or(seen.tpot);
        seen.page = page.clone();
    }
}

/// The least scores 100 and the most 0, as far as the least is nothing; all 100 if the most is nothing.
fn fewest(counts: impl Iterator<Item = u64>) -> Vec<u64> {
    let counts: Vec<u64> = counts.collect();
    let most = counts.iter().copied().max().unwrap_or(0);
    counts.into_iter().map(|count| if most == 0 { 100 } else { (most - count) * 100 / most }).collect()
}

/// From the least to the most.
#[derive(Debug, Clone, Copy)]
struct Range {
    least: f64,
    most: f64,
}

// === impl Range ===

impl Range {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        values.fold(Self { least: f64::INFINITY, most: 0.0 }, |Self { least, most }, value| Self {
            least: least.min(value),
            most: most.max(value),
        })
    }

    fn score(self, value: f64) -> f64 {
        let width = self.most - self.least;
        if width > 0.0 { 100.0 * (self.most - value) / width } else { 100.0 }
    }
}

#[cfg(test)]
mod tests;
