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

/// One `usage` as it was sent: what is `None` was not said.
///
/// Anthropic tells what came from the cache and what went into it apart from `input_tokens`; OpenAI's two
/// protocols count both within `prompt_tokens` and `input_tokens`, and say how much under `..._details`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reported {
    pub(super) prompt: Option<u64>,
    pub(super) input: Option<u64>,
    pub(super) cache_creation: Option<u64>,
    pub(super) cache_read: Option<u64>,
    pub(super) completion: Option<u64>,
    pub(super) total: Option<u64>,
}

// === impl Reported ===

impl Reported {
    /// With what an earlier report of the same answer said and this one does not: Messages tell the prompt at the start
    /// and the rest at the end, where some engines say 0 of the prompt.
    pub(super) fn after(self, earlier: Option<Self>) -> Self {
        let Some(earlier) = earlier else { return self };
        let completion = self.completion.or(earlier.completion);
        if self.prompt_tokens() == 0 {
            // A total without the prompt is none.
            return Self { completion, total: self.total.filter(|_| earlier.prompt_tokens() == 0), ..earlier };
        }
        Self {
            prompt: self.prompt.or(earlier.prompt),
            input: self.input.or(earlier.input),
            cache_creation: self.cache_creation.or(earlier.cache_creation),
            cache_read: self.cache_read.or(earlier.cache_read),
            completion,
            total: self.total,
        }
    }

    /// What is to be counted: a total that is missing is the sum, and nothing but zeros is no report.
    pub(super) fn counted(self) -> Option<Usage> {
        let prompt_tokens = self.prompt_tokens();
        let completion_tokens = self.completion.unwrap_or_default();
        let sum = prompt_tokens.saturating_add(completion_tokens);
        let total_tokens = self.total.filter(|total| *total > 0).unwrap_or(sum);
        (total_tokens > 0).then_some(Usage { prompt_tokens, completion_tokens, total_tokens })
    }

    fn prompt_tokens(self) -> u64 {
        let input = [self.input, self.cache_creation, self.cache_read].map(Option::unwrap_or_default);
        self.prompt.unwrap_or_else(|| input.into_iter().fold(0, u64::saturating_add))
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
        self.answer.usage().and_then(Reported::counted)
    }
}

impl Default for BodyUsage {
    fn default() -> Self {
        Self::new()
    }
}
