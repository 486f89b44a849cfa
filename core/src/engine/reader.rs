//! Reads one page of metrics, as its bytes come.

use super::EngineType;
use super::exposition::{Labels, Lines, Sample, announced, name};
use super::names::{Field, field, prefix};
use serde::Serialize;
use std::str;

/// Data-parallel ranks that are told apart; the largest deployments have some hundreds.
const MAX_RANKS: usize = 1024;

/// Reads a page. Memory is bounded by the longest line that is read and by [`MAX_RANKS`].
#[derive(Debug)]
pub struct MetricsReader {
    engine: EngineType,
    lines: Lines,
    reading: Reading,
}

/// What one page said. What it did not say is `None`: a gauge that is missing is not zero (SGLang has none
/// before its first request).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    /// Whether any metric was the engine's, be it only announced: before its first request SGLang has no sample.
    pub recognised: bool,
    running: Counts,
    waiting: Counts,
    usage: Preferred<Mean>,
    /// Tokens that the KV cache holds, over ranks.
    capacity: Counts,
    awake: Option<bool>,
    ttft: Sums,
    tpot: Sums,
    /// The value of the latest `lora_requests_info` and its labels.
    adapters: Option<(f64, Vec<u8>)>,
    /// A line of them was too long: it may have been the latest.
    adapters_missed: bool,
}

/// A histogram's sum and count over all its series, since the engine's start.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Totals {
    /// Of everything that was observed, in the histogram's unit.
    pub sum: f64,
    /// How many were.
    pub count: f64,
    /// The place of the histogram's name among those for the same thing: totals of two places are of two histograms.
    pub place: u8,
}

/// LoRA adapters by what the engine does for them now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Adapters {
    /// Those whose requests run.
    pub running: Vec<String>,
    /// Those whose requests wait.
    pub waiting: Vec<String>,
    /// How many can be in use at once.
    pub max: Option<u32>,
}

/// A count, of requests or tokens, over the series that count different ones.
#[derive(Debug, Clone, Default, PartialEq)]
struct Counts {
    by_rank: Vec<(Option<u32>, f64)>,
    others: Option<f64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Mean {
    sum: f64,
    of: f64,
}

/// What the best of several names said; the best has the lowest place.
#[derive(Debug, Clone, Default, PartialEq)]
struct Preferred<T> {
    best: Option<(u8, T)>,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Sums {
    sum: Preferred<f64>,
    count: Preferred<f64>,
}

// === impl MetricsReader ===

impl MetricsReader {
    /// A reader of one page.
    pub fn new(engine: EngineType) -> Self {
        Self { engine, lines: Lines::default(), reading: Reading::default() }
    }

    /// The next bytes of the page.
    pub fn feed(&mut self, chunk: &[u8]) {
        let Self { engine, lines, reading } = self;
        lines.feed(chunk, |line, whole| reading.line(*engine, line, whole));
    }

    /// What the page said.
    pub fn finish(mut self) -> Reading {
        self.lines.finish(|line, whole| self.reading.line(self.engine, line, whole));
        self.reading
    }
}

// === impl Reading ===

impl Reading {
    /// Requests that generate.
    pub fn running(&self) -> Option<u32> {
        self.running.total()
    }

    /// Requests that wait for a place.
    pub fn waiting(&self) -> Option<u32> {
        self.waiting.total()
    }

    /// Share of the KV cache in use, in [0, 1]: the mean over ranks. They have caches of one size, and the
    /// engine spreads requests over them, so this is the share of the Pod's.
    pub fn kv_cache_usage(&self) -> Option<f64> {
        let mean = self.usage.best.map(|(_, mean)| mean)?;
        Some((mean.sum / mean.of).clamp(0.0, 1.0))
    }

    /// How many tokens the KV cache holds, over all ranks. vLLM says "None" before it knows.
    pub fn kv_cache_tokens(&self) -> Option<u32> {
        self.capacity.total()
    }

    /// Whether it is asleep; only vLLM says so.
    pub fn asleep(&self) -> bool {
        self.awake == Some(false)
    }

    /// Times to the first token, in seconds.
    pub fn ttft(&self) -> Option<Totals> {
        self.ttft.totals()
    }

    /// Times per output token, in seconds.
    pub fn tpot(&self) -> Option<Totals> {
        self.tpot.totals()
    }

    /// LoRA adapters in use; `None` where the engine does not say, or says more than is read.
    pub fn adapters(&self) -> Option<Adapters> {
        if self.adapters_missed {
            return None;
        }
        let labels = Labels(&self.adapters.as_ref()?.1);
        let names = |label: &str| {
            let names = labels.value(label).unwrap_or_default();
            names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
        };
        Some(Adapters {
            running: names("running_lora_adapters"),
            waiting: names("waiting_lora_adapters"),
            max: labels.value("max_lora").and_then(|max| max.parse().ok()),
        })
    }

    /// Takes a line, or the beginning of one that is not `whole`.
    fn line(&mut self, engine: EngineType, line: &[u8], whole: bool) {
        let Some(line) = line.strip_prefix(prefix(engine)) else {
            self.recognised |= announced(line).is_some_and(|name| name.starts_with(prefix(engine)));
            return;
        };
        self.recognised = true;
        let (name, rest) = name(line);
        let Some((field, place)) = field(engine, name) else { return };
        if !whole {
            self.adapters_missed |= field == Field::Adapters;
            return;
        }
        let Some(Sample { labels, value }) = Sample::after_name(rest) else { return };
        // No value here can be negative, and NaN is Prometheus' word for unknown.
        if !(value.is_finite() && value >= 0.0) {
            return;
        }
        match field {
            Field::Running => self.running.add(engine, labels, value),
            Field::Waiting => self.waiting.add(engine, labels, value),
            Field::Usage => self.usage.add(place, |mean| *mean = Mean { sum: mean.sum + value, of: mean.of + 1.0 }),
            Field::Capacity => {
                let tokens = match engine {
                    EngineType::Vllm => cache_tokens(labels),
                    EngineType::Sglang => Some(value),
                };
                tokens.into_iter().for_each(|tokens| self.capacity.add(engine, labels, tokens));
            }
            Field::SleepState => self.sleep_state(labels, value),
            Field::Adapters => self.lora_requests(labels, value),
            Field::TtftSum => self.ttft.sum.add(place, |sum| *sum += value),
            Field::TtftCount => self.ttft.count.add(place, |count| *count += value),
            Field::TpotSum => self.tpot.sum.add(place, |sum| *sum += value),
            Field::TpotCount => self.tpot.count.add(place, |count| *count += value),
        }
    }

    /// One series for each state and rank; a Pod with a rank awake answers.
    fn sleep_state(&mut self, labels: Labels<'_>, value: f64) {
        if labels.raw("sleep_state") == Some(b"awake") {
            self.awake = Some(self.awake.unwrap_or_default() || value > 0.0);
        }
    }

    /// The value is the time when the labels were true, and old label sets stay on the page: the latest counts.
    fn lora_requests(&mut self, labels: Labels<'_>, time: f64) {
        if self.adapters.as_ref().is_some_and(|(latest, _)| *latest > time) {
            return;
        }
        let (latest, kept) = self.adapters.get_or_insert_default();
        *latest = time;
        kept.clear();
        kept.extend_from_slice(labels.0);
    }
}

/// What the labels of vLLM's `cache_config_info` say: its own figure where it gives one (of models whose layers have
/// caches of several kinds a block is not that many tokens of each), else blocks times their size.
fn cache_tokens(labels: Labels<'_>) -> Option<f64> {
    let number = |label| str::from_utf8(labels.raw(label)?).ok()?.parse::<u32>().ok().map(f64::from);
    number("kv_cache_size_tokens").or_else(|| Some(number("block_size")? * number("num_gpu_blocks")?))
}

// === impl Counts ===

impl Counts {
    /// vLLM has one series a rank (`engine`). SGLang has one a `dp_rank`, and each a second time for every
    /// tensor or pipeline rank that reports too: those count the same, and the largest is taken. With
    /// priorities, it has the total under an empty one, and parts of it under the others.
    fn add(&mut self, engine: EngineType, labels: Labels<'_>, value: f64) {
        if engine == EngineType::Vllm {
            *self.others.get_or_insert_default() += value;
            return;
        }
        if labels.raw("priority").is_some_and(|priority| !priority.is_empty()) {
            return;
        }
        let rank = labels.raw("dp_rank").and_then(|rank| str::from_utf8(rank).ok()?.parse().ok());
        if let Some((_, largest)) = self.by_rank.iter_mut().find(|(known, _)| *known == rank) {
            *largest = largest.max(value);
        } else if self.by_rank.len() < MAX_RANKS {
            self.by_rank.push((rank, value));
        }
    }

    fn total(&self) -> Option<u32> {
        if self.by_rank.is_empty() && self.others.is_none() {
            return None;
        }
        let total = self.others.unwrap_or_default() + self.by_rank.iter().map(|(_, value)| value).sum::<f64>();
        // Saturates, as `as` does.
        Some(total.round() as u32)
    }
}

// === impl Preferred ===

impl<T: Default> Preferred<T> {
    fn add(&mut self, place: u8, add: impl FnOnce(&mut T)) {
        if self.best.as_ref().is_none_or(|(best, _)| place < *best) {
            self.best = Some((place, T::default()));
        }
        if let Some((best, value)) = &mut self.best
            && *best == place
        {
            add(value);
        }
    }
}

// === impl Sums ===

impl Sums {
    /// Sum and count of one name, or nothing.
    fn totals(&self) -> Option<Totals> {
        let ((of_sum, sum), (of_count, count)) = (self.sum.best?, self.count.best?);
        (of_sum == of_count).then_some(Totals { sum, count, place: of_sum })
    }
}

#[cfg(test)]
mod tests;
