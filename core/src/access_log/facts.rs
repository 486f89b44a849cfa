//! What only the filter knows of a request, as bytes in Envoy's filter state.
//!
//! A version, then postcard. The filter and the reader of the log may be of different builds for a while:
//! bytes of another version are an error to be counted, and the request is logged without them.

use super::{Bound, Chunks, Kind, Usage};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Raised with every change of [`Facts`], [`Usage`], [`Chunks`] or the order of [`Kind`].
const VERSION: u8 = 3;

/// Longer texts of clients are cut, in bytes: an entry must not grow with what a client sends.
const LONGEST: usize = 1024;

/// What the filter found out of a request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// A random number that the picker hears too ([`crate::wire::KEY`]), so that it knows what it sent away when it
    /// ends; 0 of what was not sent on.
    pub key: u64,
    /// The model that the client named; empty when none was read. See [`Facts::named`].
    pub model: String,
    /// Whether a ModelRoute offers that name.
    pub model_known: bool,
    /// `namespace/name` of the ModelRoute that matched.
    pub model_route: Option<String>,
    /// `namespace/name` of the ModelServer, and the name that the engine is asked for.
    pub target: Option<(String, String)>,
    /// Why the filter itself refused the request.
    pub refusal: Option<(Kind, String)>,
    /// When the filter let the request go, from its start.
    pub forwarded: Option<Duration>,
    /// Whether its retries were withheld: the ModelServer's budget was spent.
    pub rationed: bool,
    /// As the engine reported it.
    pub usage: Option<Usage>,
    /// The pace of a streamed answer.
    pub chunks: Option<Chunks>,
    /// The error that a streamed answer told: the status that it stands for, and the engine's words. See
    /// [`crate::openai::StreamError`].
    pub told: Option<(u16, String)>,
}

/// Why bytes are no facts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FactsError {
    /// Written by another build.
    #[error("facts of version {0}, expected {VERSION}")]
    Version(u8),
    /// Cut short, or none at all.
    #[error("damaged facts: {0}")]
    Damaged(String),
}

// === impl Facts ===

impl Facts {
    /// Those of a request for that model.
    pub fn named(model: &str, known: bool) -> Self {
        Self { model: cut(model).to_owned(), model_known: known, ..Self::default() }
    }

    /// The same, refused.
    pub fn refused(self, kind: Kind, message: &str) -> Self {
        Self { refusal: Some((kind, cut(message).to_owned())), ..self }
    }

    /// The destination, as entries name it.
    pub fn bound(&self) -> Option<Bound> {
        let (backend, upstream_model) = self.target.clone()?;
        Some(Bound { backend_type: "model_server", backend, upstream_model })
    }

    /// The bytes for the filter state.
    pub fn encode(&self) -> Vec<u8> {
        // In memory it does not fail; nothing would be decoded as damaged.
        postcard::to_extend(self, vec![VERSION]).unwrap_or_default()
    }

    /// The facts in `bytes`.
    ///
    /// # Errors
    /// See [`FactsError`]; nothing in hostile bytes panics or allocates beyond their length.
    pub fn decode(bytes: &[u8]) -> Result<Self, FactsError> {
        match bytes.split_first() {
            Some((&VERSION, facts)) => postcard::from_bytes(facts).map_err(|e| FactsError::Damaged(e.to_string())),
            Some((version, _)) => Err(FactsError::Version(*version)),
            None => Err(FactsError::Damaged("empty".to_owned())),
        }
    }
}

/// As much of a text as is told.
fn cut(text: &str) -> &str {
    let end = (0..=LONGEST.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}
