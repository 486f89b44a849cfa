//! The two shapes in which the same generation is told.

use bytes::Bytes;

use crate::wire::{Counts, Head, Piece, chat, completion};

/// Which of the two paths a request came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    Chat,
    Completion,
}

// === impl Face ===

impl Face {
    /// What the ids of its answers begin with.
    pub fn id_prefix(self) -> &'static str {
        match self {
            Self::Chat => "chatcmpl",
            Self::Completion => "cmpl",
        }
    }

    /// A whole answer.
    pub fn whole(self, head: &Head, texts: &[String], counts: Counts) -> Bytes {
        match self {
            Self::Chat => chat::whole(head, texts, counts),
            Self::Completion => completion::whole(head, texts, counts),
        }
    }

    /// One token's event.
    pub fn piece(self, head: &Head, piece: &Piece<'_>) -> Bytes {
        match self {
            Self::Chat => chat::piece(head, piece),
            Self::Completion => completion::piece(head, piece),
        }
    }

    /// The event with the counts of the whole stream.
    pub fn totals(self, head: &Head, counts: Counts) -> Bytes {
        match self {
            Self::Chat => chat::totals(head, counts),
            Self::Completion => completion::totals(head, counts),
        }
    }
}
