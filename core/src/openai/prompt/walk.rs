//! Tells the canonical prompt, piece by piece, while the body stays where it is.
//!
//! Inside Envoy the body lies outside of the filter's memory, and it may be megabytes: so it is read through a
//! window of 64 KiB, and of a part that is longer the escapes are undone as it passes.

mod window;

use self::window::Window;
use super::{PartRole, Prompt, PromptPart};
use crate::openai::lexer::Text;
use std::ops::{ControlFlow, Range};

/// The body is not the one that was scanned, or not at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body of which this is the prompt cannot be read")]
pub struct Unreadable;

impl Prompt {
    /// Hands the canonical prompt's bytes to `take`, in order, until it breaks. `body` answers the body's bytes
    /// at a range (of 64 KiB at the most), for a moment each.
    ///
    /// Of a [truncated](Prompt::truncated) prompt it is the beginning. One without text has no bytes at all.
    ///
    /// # Errors
    /// `body` does not answer, or with something that was not scanned; what was told then is a beginning.
    pub fn walk(
        &self,
        body: impl FnMut(Range<usize>) -> Option<Vec<u8>>,
        take: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), Unreadable> {
        let end = self.parts.iter().map(|part| part.span.end).max().unwrap_or_default();
        let walk = Walk { window: Window::new(body, end), take, message: None, empty: true };
        match walk.prompt(self) {
            Ok(()) | Err(Stop::Enough) => Ok(()),
            Err(Stop::Unreadable) => Err(Unreadable),
        }
    }
}

/// Why a walk ends before the prompt does.
enum Stop {
    /// No more is wanted.
    Enough,
    Unreadable,
}

struct Walk<B, T> {
    window: Window<B>,
    take: T,
    /// The ordinal of the message that is open.
    message: Option<u32>,
    /// Whether it has no content yet.
    empty: bool,
}

// === impl Walk ===

impl<B: FnMut(Range<usize>) -> Option<Vec<u8>>, T: FnMut(&[u8]) -> ControlFlow<()>> Walk<B, T> {
    fn prompt(mut self, prompt: &Prompt) -> Result<(), Stop> {
        for part in &prompt.parts {
            self.part(part)?;
        }
        // How the last message went on is not known of a truncated prompt.
        if prompt.truncated { Ok(()) } else { self.end_message() }
    }

    fn part(&mut self, part: &PromptPart) -> Result<(), Stop> {
        let implied = match part.role {
            PartRole::Prompt => return self.text(part),
            PartRole::Role => {
                self.begin_message(part)?;
                self.text(part)?;
                return self.tell(b"\n");
            }
            PartRole::Content => None,
            PartRole::System => Some("system"),
            PartRole::Instructions => Some("developer"),
            PartRole::Input => Some("user"),
        };
        if let Some(role) = implied
            && self.message != Some(part.message)
        {
            self.begin_message(part)?;
            self.tell(role.as_bytes())?;
            self.tell(b"\n")?;
        }
        if !self.empty {
            self.tell(b"\n")?;
        }
        self.empty = false;
        self.text(part)
    }

    fn begin_message(&mut self, part: &PromptPart) -> Result<(), Stop> {
        self.end_message()?;
        self.message = Some(part.message);
        self.empty = true;
        self.tell(b"<|im_start|>")
    }

    fn end_message(&mut self) -> Result<(), Stop> {
        match self.message.take() {
            Some(_) => self.tell(b"<|im_end|>\n"),
            None => Ok(()),
        }
    }

    fn text(&mut self, part: &PromptPart) -> Result<(), Stop> {
        let (mut at, end) = (part.span.start, part.span.end);
        let mut escapes = part.escaped.then(Text::default);
        while at < end {
            let bytes = self.window.at(at, end).ok_or(Stop::Unreadable)?;
            at += bytes.len();
            match &mut escapes {
                None => told((self.take)(bytes))?,
                Some(text) => unescaped(text, bytes, at, &mut self.take)?,
            }
        }
        match &mut escapes {
            None => Ok(()),
            // What the string's quote would end: a lone surrogate may be pending.
            Some(text) => unescaped(text, b"\"", end, &mut self.take),
        }
    }

    fn tell(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        told((self.take)(bytes))
    }
}

/// Hands on the bytes of a JSON string that end at byte `end` of the body, with their escapes undone.
///
/// What stands between the escapes was found sound when it was scanned, and passes as it is.
fn unescaped(
    text: &mut Text,
    mut bytes: &[u8],
    end: usize,
    take: &mut impl FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<(), Stop> {
    let mut flow = ControlFlow::Continue(());
    while let Some((first, rest)) = bytes.split_first() {
        if text.is_between_escapes() && !matches!(first, b'"' | b'\\') {
            let plain = memchr::memchr2(b'"', b'\\', bytes).and_then(|stop| bytes.split_at_checked(stop));
            let (plain, rest) = plain.unwrap_or((bytes, &[]));
            told(take(plain))?;
            bytes = rest;
            continue;
        }
        let mut pieces = |piece: &str| {
            if flow.is_continue() {
                flow = take(piece.as_bytes());
            }
            Ok(())
        };
        let first = std::slice::from_ref(first);
        text.read(first, end - rest.len(), &mut pieces).map_err(|_| Stop::Unreadable)?;
        told(flow)?;
        bytes = rest;
    }
    Ok(())
}

fn told(flow: ControlFlow<()>) -> Result<(), Stop> {
    match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Stop::Enough),
    }
}

#[cfg(test)]
mod tests;
