//! An answer that is a tool call, as a model with a tool parser in front of it says it.
//!
//! The model says `<tool_call>`, a JSON object with the tool's name and its arguments, and `</tool_call>`. A parser
//! makes a call of that, and tells of a stream the name as soon as it is there, then the arguments token by token. A
//! call that is cut off by the limit of tokens is no call to whoever asked for a whole answer, but plain text.

/// A call, and the tokens that say it.
#[derive(Debug, Clone)]
pub struct Call {
    pub name: String,
    /// Whether the request named this very tool: then the reason to finish is `stop`.
    pub named: bool,
    pub tokens: Vec<Said>,
    /// One for each choice.
    pub ids: Vec<String>,
}

/// One token of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// As the tokenizer reads the text.
    pub id: u32,
    pub text: String,
    pub part: Part,
}

/// What of a call a token belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Before the name is whole, or behind the arguments: a stream tells nothing of it.
    Around,
    /// With it the name is whole.
    Name,
    Arguments,
}

// === impl Call ===

impl Call {
    /// Tokens of the whole call.
    pub fn length(&self) -> u32 {
        u32::try_from(self.tokens.len()).unwrap_or(u32::MAX)
    }

    /// Whether so many tokens of it are the whole call.
    pub fn is_whole(&self, tokens: usize) -> bool {
        tokens >= self.tokens.len()
    }

    /// The token at a position.
    pub fn said(&self, position: u32) -> Option<&Said> {
        self.tokens.get(position as usize)
    }

    /// The call's id in a choice.
    pub fn id(&self, choice: usize) -> &str {
        self.ids.get(choice).map_or("", String::as_str)
    }

    /// The first tokens, as the model said them.
    pub fn text(&self, tokens: usize) -> String {
        self.tokens.iter().take(tokens).map(|said| said.text.as_str()).collect()
    }

    /// Ids of the first tokens.
    pub fn token_ids(&self, tokens: usize) -> Vec<u32> {
        self.tokens.iter().take(tokens).map(|said| said.id).collect()
    }

    /// The arguments as far as these first tokens tell them, JSON when the call is whole.
    pub fn arguments(&self, tokens: usize) -> String {
        let said = self.tokens.iter().take(tokens).filter(|said| said.part == Part::Arguments);
        said.map(|said| said.text.as_str()).collect()
    }
}
