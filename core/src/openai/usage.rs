//! What an engine says it counted: the `usage` of chats, completions and embeddings, of Responses and of Messages.

#[cfg(test)]
mod tests;

use super::answer::AnswerReader;

/// Tokens of one request, as the engine that served it counted them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: u64,
    /// Tokens generated.
    pub completion_tokens: u64,
    /// Both together; the engine's own figure where it gives one.
    pub total_tokens: u64,
}

/// Reads `usage` from an answer that is one JSON object, chunk by chunk, keeping nothing of it.
#[derive(Debug)]
pub struct BodyUsage {
    answer: AnswerReader,
}

// === impl Usage ===

impl Usage {
    /// What is to be counted: a total that is missing is the sum, and nothing but zeros is no report.
    pub(super) fn counted(self) -> Option<Self> {
        let sum = self.prompt_tokens.saturating_add(self.completion_tokens);
        let total_tokens = if self.total_tokens == 0 { sum } else { self.total_tokens };
        (total_tokens > 0).then_some(Self { total_tokens, ..self })
    }

    /// With what an earlier report of the same answer had and this one lacks: Messages tell the prompt at the start and
    /// the rest at the end.
    pub(super) fn after(self, earlier: Option<Self>) -> Self {
        let prompt_tokens = match self.prompt_tokens {
            0 => earlier.map_or(0, |earlier| earlier.prompt_tokens),
            told => told,
        };
        let sum = prompt_tokens.saturating_add(self.completion_tokens);
        Self { prompt_tokens, total_tokens: self.total_tokens.max(sum), ..self }
    }
}

// === impl BodyUsage ===

impl BodyUsage {
    /// A reader that has read nothing.
    pub fn new() -> Self {
        Self { answer: AnswerReader::new() }
    }

    /// Reads the next chunk of the answer, of any size.
    pub fn feed(&mut self, chunk: &[u8]) {
        self.answer.feed(chunk);
    }

    /// The answer's usage, once the whole answer was fed; `None` when it has none or is no JSON
    /// object. Of several `usage` members the last counts.
    pub fn usage(&self) -> Option<Usage> {
        self.answer.usage().and_then(Usage::counted)
    }
}

impl Default for BodyUsage {
    fn default() -> Self {
        Self::new()
    }
}
