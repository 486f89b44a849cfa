//! Groups of prompts with one system prompt each: SGLang's `generated-shared-prefix`, and what comes of it with other
//! numbers.

use std::time::Duration;

use fastrand::Rng;

use super::{Text, Turn, Workload};

/// A list of prompts, which clients take from in order.
#[derive(Debug, Clone)]
pub struct Prefixes {
    sizes: Sizes,
    seed: u64,
    /// The groups of the prompts to come, the last first.
    groups: Vec<u64>,
}

/// Tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// What all prompts of a group begin with.
    pub system: u32,
    /// What each goes on with, shared with none.
    pub question: u32,
    /// The answer.
    pub answer: u32,
}

// === impl Prefixes ===

impl Prefixes {
    /// So many groups of so many prompts, shuffled.
    pub fn groups(groups: u64, prompts: usize, sizes: Sizes, seed: u64) -> Self {
        let mut list: Vec<u64> = (0..groups).flat_map(|group| std::iter::repeat_n(group, prompts)).collect();
        Rng::with_seed(seed).shuffle(&mut list);
        Self { sizes, seed, groups: list }
    }

    /// Half of so many prompts are of one group, the others spread over the other `groups`.
    pub fn hot(groups: u64, prompts: usize, sizes: Sizes, seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let group = |_| if random.bool() { 0 } else { random.u64(1..=groups) };
        Self { sizes, seed, groups: (0..prompts).map(group).collect() }
    }
}

impl Workload for Prefixes {
    fn next(&mut self, _: usize, _: &[u32]) -> Option<Turn> {
        let question = self.groups.len() as u64;
        let group = self.groups.pop()?;
        let system = Text::System(group).ids(self.seed, self.sizes.system);
        let prompt = system.chain(Text::Question(question).ids(self.seed, self.sizes.question)).collect();
        Some(Turn { after: Duration::ZERO, prompt, tokens: self.sizes.answer, adapter: None })
    }
}
