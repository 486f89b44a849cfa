//! What one field contributes to the canonical prompt.

use super::{Content, MAX_PARTS, Text};
use crate::openai::{PartRole, Prompt, PromptKind, PromptPart};

/// Code points that the canonical prompt adds to each message's role and content: `<|im_start|>`,
/// a line feed, `<|im_end|>`, a line feed (upstream Kthena's chat form).
const MARKERS: u64 = 12 + 1 + 10 + 1;

/// Messages, or prompts, in canonical order.
#[derive(Debug, Default)]
pub(super) struct Candidate {
    parts: Vec<PromptPart>,
    truncated: bool,
    chars: u64,
    /// How many messages there were.
    messages: u32,
}

impl Candidate {
    /// A completion's prompt.
    pub(super) fn prompt(&mut self, text: Text) {
        self.push(PartRole::Prompt, text);
        self.chars += text.chars;
        self.messages = self.messages.saturating_add(1);
    }

    /// A message that says its role.
    pub(super) fn message(&mut self, role: Text, content: &Content) {
        self.push(PartRole::Role, role);
        self.contents(PartRole::Content, role.chars, content);
    }

    /// A message whose role follows from the field it was in.
    pub(super) fn implied_message(&mut self, part: PartRole, role: &str, content: &Content) {
        self.contents(part, role.chars().count() as u64, content);
    }

    /// Appends another candidate's messages.
    pub(super) fn append(&mut self, other: Candidate) {
        if self.messages == 0 {
            *self = other;
            return;
        }
        let before = self.messages;
        for part in other.parts {
            self.keep(PromptPart { message: part.message.saturating_add(before), ..part });
        }
        self.truncated |= other.truncated;
        self.chars += other.chars;
        self.messages = before.saturating_add(other.messages);
    }

    /// The prompt when nothing else comes.
    pub(super) fn finish(self, kind: PromptKind) -> Prompt {
        Prompt { kind: Some(kind), parts: self.parts, truncated: self.truncated, chars: self.chars }
    }

    fn contents(&mut self, part: PartRole, role_chars: u64, content: &Content) {
        for text in content.kept() {
            self.push(part, *text);
        }
        self.truncated |= content.truncated();
        self.chars += MARKERS + role_chars + content.chars();
        self.messages = self.messages.saturating_add(1);
    }

    fn push(&mut self, role: PartRole, text: Text) {
        self.keep(PromptPart { role, message: self.messages, span: text.span, escaped: text.escaped });
    }

    /// Keeps a part while there is room. Once one was left out no later one is kept, so that the
    /// parts are always the canonical prompt's beginning.
    fn keep(&mut self, part: PromptPart) {
        if self.truncated || self.parts.len() == MAX_PARTS {
            self.truncated = true;
        } else {
            self.parts.push(part);
        }
    }
}
