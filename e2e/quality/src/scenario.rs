//! What is run: engines, clients and what they ask.

use std::time::Duration;

use kthena_simulator::Options;

use crate::contender::Contender;
use crate::outcome::Outcome;
use crate::run::{Clients, run};
use crate::setup::{
    GROUPS, LONG, LONG_AS_DESCRIBED, Published, SHORT, WARM_UP, engine, published_long, published_short,
};
use crate::workload::{Adapters, Habits, Prefixes, Sessions, Sizes, Workload};

/// One workload on one fleet.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// A heading.
    pub title: &'static str,
    /// What it is, in a sentence or two.
    pub about: &'static str,
    engines: Vec<Options>,
    clients: usize,
    warm_up: u64,
    asks: Asks,
    /// Who runs in it.
    pub contenders: Vec<Contender>,
    /// What upstream published for a policy.
    pub published: fn(&str) -> Option<Published>,
    /// Whether adapters are what it is about.
    pub adapters: bool,
}

/// What clients ask.
#[derive(Debug, Clone)]
enum Asks {
    Groups(u64, usize, Sizes),
    Hot(u64, usize, Sizes),
    Sessions(u64, Habits),
    Adapters(usize, usize, Sizes),
}

/// Clients that begin in a second, as published.
const RATE: f64 = 800.0;

// === impl Scenario ===

impl Scenario {
    /// All of them; the published long and short sets are the first two.
    pub fn all() -> Vec<Self> {
        let scenario = |title, about, clients, warm_up, asks| Self {
            title,
            about,
            engines: vec![engine(); 3],
            clients,
            warm_up,
            asks,
            contenders: Contender::all(),
            published: |_| None,
            adapters: false,
        };
        let published = |title, about, sizes: Sizes| Self {
            contenders: Contender::published(sizes.system),
            ..scenario(title, about, 300, WARM_UP, Asks::Groups(GROUPS.0, GROUPS.1, sizes))
        };
        let with_adapters = |title, about, adapters| Self {
            engines: vec![adapter_engine(); 4],
            contenders: Contender::for_adapters(),
            adapters: true,
            ..scenario(
                title,
                about,
                64,
                500,
                Asks::Adapters(adapters, 4_000, Sizes { system: 0, question: 512, answer: 128 }),
            )
        };
        vec![
            Self {
                published: published_long,
                ..published(
                    "Long system prompts",
                    "The published long set: 256 groups of 32 prompts, shuffled; 4,096 tokens shared by a group, 256 of \
                     its own (see calibration), answers of 256; 300 clients, 3 engines.",
                    LONG,
                )
            },
            Self {
                published: published_short,
                ..published(
                    "Short system prompts",
                    "The published short set: as above, with 256 tokens shared by a group and 2,048 of a prompt's own.",
                    SHORT,
                )
            },
            published(
                "Long system prompts, as described",
                "The published long set with the 2,048 tokens of its own that a prompt is said to have had.",
                LONG_AS_DESCRIBED,
            ),
            scenario(
                "Conversations",
                "600 conversations of 4 to 12 turns between 150 people and 8 assistants (512 tokens of system prompt \
                 each): 40 to 400 new tokens a turn, answers of 100 to 400, 1 to 15 s of thought.",
                150,
                600,
                Asks::Sessions(
                    600,
                    Habits {
                        systems: 8,
                        system: 512,
                        turns: 4..=12,
                        question: 40..=400,
                        answer: 100..=400,
                        think: 1_000..=15_000,
                    },
                ),
            ),
            scenario(
                "One system prompt for everybody",
                "3,600 prompts with the same first 2,048 tokens and 512 of their own, answers of 256; 200 clients.",
                200,
                600,
                Asks::Groups(1, 3_600, Sizes { system: 2_048, question: 512, answer: 256 }),
            ),
            scenario(
                "Agents",
                "240 runs of 10 to 30 steps by agents of 4 kinds (3,000 tokens of system prompt each), 60 at a time: a \
                 step brings 100 to 1,500 tokens of tool output and 30 to 200 of answer, and tools take 0.1 to 2 s.",
                60,
                600,
                Asks::Sessions(
                    240,
                    Habits {
                        systems: 4,
                        system: 3_000,
                        turns: 10..=30,
                        question: 100..=1_500,
                        answer: 30..=200,
                        think: 100..=2_000,
                    },
                ),
            ),
            scenario(
                "No sharing at all",
                "3,600 prompts of 1,024 tokens that have nothing in common, answers of 256; 150 clients.",
                150,
                600,
                Asks::Groups(3_600, 1, Sizes { system: 0, question: 1_024, answer: 256 }),
            ),
            scenario(
                "No sharing, answers of all lengths",
                "The same with answers of 16 to 496 tokens: requests that began together do not end together.",
                150,
                600,
                Asks::Sessions(
                    3_600,
                    Habits {
                        systems: 1,
                        system: 0,
                        turns: 1..=1,
                        question: 1_024..=1_024,
                        answer: 16..=496,
                        think: 0..=0,
                    },
                ),
            ),
            scenario(
                "A hot prefix",
                "Half of 4,000 prompts are of one group, the others of 128: 2,048 tokens shared by a group, 256 of a \
                 prompt's own, answers of 256; 200 clients.",
                200,
                600,
                Asks::Hot(128, 4_000, Sizes { system: 2_048, question: 256, answer: 256 }),
            ),
            Self {
                engines: vec![slow_engine(), engine(), engine(), engine()],
                ..scenario(
                    "One slow engine",
                    "The first of four engines is three times slower. 64 groups of 48 prompts, 1,024 tokens shared and \
                     512 not, answers of 256; 160 clients.",
                    160,
                    600,
                    Asks::Groups(64, 48, Sizes { system: 1_024, question: 512, answer: 256 }),
                )
            },
            with_adapters(
                "40 adapters, 16 slots",
                "4,000 prompts for 40 LoRA adapters by Zipf's law, on 4 engines of 4 slots; an adapter takes 1 s to load; \
                 64 clients.",
                40,
            ),
            with_adapters(
                "12 adapters, 16 slots",
                "The same with 12 adapters: more than an engine has slots, fewer than the fleet has.",
                12,
            ),
        ]
    }

    /// Runs one policy.
    ///
    /// # Errors
    ///
    /// The policy cannot be made, or the run does not end.
    pub fn run(&self, contender: &Contender, seed: u64) -> anyhow::Result<Outcome> {
        let mut policy = contender.policy(self.engines.len(), &self.adapter_names())?;
        let mut workload = self.workload(seed);
        let clients = Clients { number: self.clients, rate: RATE, warm_up: self.warm_up };
        run(&self.engines, clients, &mut *workload, &mut *policy, seed)
    }

    fn workload(&self, seed: u64) -> Box<dyn Workload> {
        match &self.asks {
            Asks::Groups(groups, prompts, sizes) => Box::new(Prefixes::groups(*groups, *prompts, *sizes, seed)),
            Asks::Hot(groups, prompts, sizes) => Box::new(Prefixes::hot(*groups, *prompts, *sizes, seed)),
            Asks::Sessions(conversations, habits) => {
                Box::new(Sessions::new(habits.clone(), *conversations, self.clients, seed))
            }
            Asks::Adapters(adapters, prompts, sizes) => Box::new(Adapters::zipf(*adapters, *prompts, *sizes, seed)),
        }
    }

    fn adapter_names(&self) -> Vec<String> {
        match self.asks {
            Asks::Adapters(adapters, ..) => (0..adapters).map(Adapters::name).collect(),
            _ => Vec::new(),
        }
    }
}

/// With four slots for adapters, which take a second to load.
fn adapter_engine() -> Options {
    let mut options = engine();
    options.capacity.max_loras = 4;
    options.capacity.lora_load_time = Duration::from_secs(1);
    options
}

/// Three times slower in everything.
fn slow_engine() -> Options {
    Options { speed: 1.0 / 3.0, ..engine() }
}
