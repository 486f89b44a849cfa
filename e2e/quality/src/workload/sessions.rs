//! Conversations: each turn's prompt is the last one, its answer, and something new. People chat so, and agents call
//! tools so; they differ in sizes and in how long they think.

use std::ops::RangeInclusive;
use std::time::Duration;

use fastrand::Rng;

use super::{Text, Turn, Workload};

/// Clients that have one conversation after the other.
#[derive(Debug)]
pub struct Sessions {
    habits: Habits,
    seed: u64,
    /// Conversations that have not begun.
    left: u64,
    questions: u64,
    clients: Vec<Client>,
}

/// What conversations are like; of ranges, each value is as likely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Habits {
    /// Different system prompts.
    pub systems: u64,
    /// Tokens of a system prompt.
    pub system: u32,
    /// Turns of a conversation.
    pub turns: RangeInclusive<u32>,
    /// Tokens that a turn brings.
    pub question: RangeInclusive<u32>,
    /// Tokens of an answer.
    pub answer: RangeInclusive<u32>,
    /// From an answer to the next turn, in milliseconds.
    pub think: RangeInclusive<u64>,
}

#[derive(Debug)]
struct Client {
    random: Rng,
    said: Vec<u32>,
    turns: u32,
}

// === impl Sessions ===

impl Sessions {
    /// So many conversations of so many clients.
    pub fn new(habits: Habits, conversations: u64, clients: usize, seed: u64) -> Self {
        let client =
            |index| Client { random: Rng::with_seed(seed.wrapping_add(1 + index as u64)), said: Vec::new(), turns: 0 };
        Self { habits, seed, left: conversations, questions: 0, clients: (0..clients).map(client).collect() }
    }
}

impl Workload for Sessions {
    fn next(&mut self, client: usize, answer: &[u32]) -> Option<Turn> {
        let Self { habits, seed, left, questions, clients } = self;
        let Client { random, said, turns } = clients.get_mut(client)?;
        if *turns == 0 {
            *left = left.checked_sub(1)?;
            *turns = random.u32(habits.turns.clone());
            *said = Text::System(random.u64(..habits.systems.max(1))).ids(*seed, habits.system).collect();
        } else {
            said.extend_from_slice(answer);
        }
        *turns -= 1;
        *questions += 1;
        said.extend(Text::Question(*questions).ids(*seed, random.u32(habits.question.clone())));
        Some(Turn {
            after: Duration::from_millis(random.u64(habits.think.clone())),
            prompt: said.clone(),
            tokens: random.u32(habits.answer.clone()),
            adapter: None,
        })
    }
}
