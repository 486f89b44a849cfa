//! Prompts that share nothing, each for one of many LoRA adapters, a few of which are asked for much more than others.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;

use super::{Sizes, Text, Turn, Workload};

/// A list of prompts with their adapters, which clients take from in order.
#[derive(Debug, Clone)]
pub struct Adapters {
    sizes: Sizes,
    seed: u64,
    names: Vec<Arc<str>>,
    /// Indexes of the adapters to come, the last first.
    list: Vec<usize>,
}

// === impl Adapters ===

impl Adapters {
    /// So many prompts; the adapter at rank r is asked for in proportion to 1/r (Zipf's law).
    pub fn zipf(adapters: usize, prompts: usize, sizes: Sizes, seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let sum: f64 = (1..=adapters).map(|rank| 1.0 / rank as f64).sum();
        let draw = |_| {
            let mut rest = random.f64() * sum;
            let found = (1..=adapters).position(|rank| {
                rest -= 1.0 / rank as f64;
                rest < 0.0
            });
            found.unwrap_or(0)
        };
        let list = (0..prompts).map(draw).collect();
        let names = (0..adapters).map(|index| Self::name(index).into()).collect();
        Self { sizes, seed, names, list }
    }

    /// What the adapter of that index is called.
    pub fn name(index: usize) -> String {
        format!("adapter-{index}")
    }
}

impl Workload for Adapters {
    fn next(&mut self, _: usize, _: &[u32]) -> Option<Turn> {
        let question = self.list.len() as u64;
        let adapter = self.names.get(self.list.pop()?).cloned();
        let system = Text::System(0).ids(self.seed, self.sizes.system);
        let prompt = system.chain(Text::Question(question).ids(self.seed, self.sizes.question)).collect();
        Some(Turn { after: Duration::ZERO, prompt, tokens: self.sizes.answer, adapter })
    }
}
