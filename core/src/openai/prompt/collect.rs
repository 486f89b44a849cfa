//! Collects a prompt from the fields that may hold one.
//!
//! Which field counts is known at the end only (`system` may follow `messages`, and `prompt` may
//! follow both), and so is whether a message counts at all (its `role` may follow its `content`,
//! a part's `type` its `text`). So every candidate is collected by itself, message by message, and
//! [`PromptReader::finish`] puts the canonical prompt together.

mod candidate;
mod text;

use self::candidate::Candidate;
use self::text::Content;
pub(in crate::openai) use self::text::Text;
use super::{PartRole, Prompt, PromptKind};

/// The most parts kept, 8,192: a quarter of a megabyte for a conversation of thousands of messages.
const MAX_PARTS: usize = 8192;

/// The prompt as far as it was read. A field given again replaces what it held before.
#[derive(Debug, Default)]
pub(in crate::openai) struct PromptReader {
    prompt: Option<Candidate>,
    messages: Option<Candidate>,
    input: Option<Candidate>,
    system: Option<Content>,
    instructions: Option<Text>,
    message: Message,
    part: Part,
}

/// The message being read.
#[derive(Debug, Default)]
struct Message {
    role: Option<Text>,
    content: Content,
    /// Whether its `type`, which is read of items of `input` only, is another one than `message`.
    other_type: bool,
}

/// The content part being read.
#[derive(Debug, Default)]
struct Part {
    text: Option<Text>,
    /// Whether its `type` is another one than text.
    other_type: bool,
}

// === impl PromptReader ===

impl PromptReader {
    /// `field` gets a new value; an array of prompts, messages or items makes it `usable`.
    pub(in crate::openai) fn start(&mut self, field: PromptKind, usable: bool) {
        *self.candidate(field) = usable.then(Candidate::default);
    }

    /// `prompt`, or a string in its array.
    pub(in crate::openai) fn prompt(&mut self, text: Text) {
        self.prompt.get_or_insert_default().prompt(text);
    }

    /// `input`, or a string in its array.
    pub(in crate::openai) fn input(&mut self, text: Text) {
        let content = Content::from(text);
        self.input.get_or_insert_default().implied_message(PartRole::Input, "user", &content);
    }

    /// `system` gets a new value.
    pub(in crate::openai) fn start_system(&mut self) {
        self.system = None;
    }

    /// `system`, or a text part of it.
    pub(in crate::openai) fn system(&mut self, text: Text) {
        self.system.get_or_insert_default().push(text);
    }

    /// `instructions` gets a new value.
    pub(in crate::openai) fn instructions(&mut self, text: Option<Text>) {
        self.instructions = text;
    }

    /// A message begins.
    pub(in crate::openai) fn start_message(&mut self) {
        self.message.role = None;
        self.message.content.clear();
        self.message.other_type = false;
    }

    /// A message's `role`; `None` when it is no string.
    pub(in crate::openai) fn role(&mut self, text: Option<Text>) {
        self.message.role = text;
    }

    /// A message's `content` gets a new value.
    pub(in crate::openai) fn start_content(&mut self) {
        self.message.content.clear();
    }

    /// A message's content, or a text part of it.
    pub(in crate::openai) fn content(&mut self, text: Text) {
        self.message.content.push(text);
    }

    /// The `type` of an `input` item.
    pub(in crate::openai) fn item_type(&mut self, is_message: bool) {
        self.message.other_type = !is_message;
    }

    /// A message ends. Without a role, or of another type, it is no message and says nothing.
    pub(in crate::openai) fn end_message(&mut self, field: PromptKind) {
        let message = std::mem::take(&mut self.message);
        if let (Some(role), false) = (message.role, message.other_type)
            && let Some(candidate) = self.candidate(field)
        {
            candidate.message(role, &message.content);
        }
        // Its buffer serves the next message.
        self.message.content = message.content;
    }

    /// A content part begins.
    pub(in crate::openai) fn start_part(&mut self) {
        self.part = Part::default();
    }

    /// A content part's `type`.
    pub(in crate::openai) fn part_type(&mut self, is_text: bool) {
        self.part.other_type = !is_text;
    }

    /// A content part's `text`; `None` when it is no string.
    pub(in crate::openai) fn part_text(&mut self, text: Option<Text>) {
        self.part.text = text;
    }

    /// A content part ends; its text, when it is a part of text.
    pub(in crate::openai) fn end_part(&mut self) -> Option<Text> {
        let part = std::mem::take(&mut self.part);
        part.text.filter(|_| !part.other_type)
    }

    /// Puts the canonical prompt together.
    pub(in crate::openai) fn finish(self) -> Prompt {
        if let Some(prompt) = self.prompt {
            return prompt.finish(PromptKind::Prompt);
        }
        let mut whole = Candidate::default();
        if let Some(messages) = self.messages {
            if let Some(system) = &self.system {
                whole.implied_message(PartRole::System, "system", system);
            }
            whole.append(messages);
            return whole.finish(PromptKind::Messages);
        }
        if let Some(input) = self.input {
            if let Some(text) = self.instructions {
                whole.implied_message(PartRole::Instructions, "developer", &Content::from(text));
            }
            whole.append(input);
            return whole.finish(PromptKind::Input);
        }
        Prompt::default()
    }

    fn candidate(&mut self, field: PromptKind) -> &mut Option<Candidate> {
        match field {
            PromptKind::Prompt => &mut self.prompt,
            PromptKind::Messages => &mut self.messages,
            PromptKind::Input => &mut self.input,
        }
    }
}
