//! How an engine is spoken to, by Envoy and by whoever asks for its metrics alike.

use serde::{Serialize, Serializer};
use std::sync::Arc;

/// How connections to an engine are made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Transport {
    /// In the clear.
    #[default]
    Plain,
    /// TLS, whoever answers: it keeps out who only listens.
    Unverified,
    /// TLS with an engine that proves who it is.
    Verified(#[serde(serialize_with = "shared")] Arc<Trust>),
}

/// Whom a verified engine must prove to be.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trust {
    /// Certificates of the authorities that may vouch for it, as PEM. They are no secret.
    pub ca: String,
    /// The DNS name that its certificate must be for; it is told to it as well (SNI).
    pub server_name: String,
}

fn shared<S: Serializer>(trust: &Arc<Trust>, serializer: S) -> Result<S::Ok, S::Error> {
    Trust::serialize(trust, serializer)
}

// === impl Transport ===

impl Transport {
    /// In the clear; what is left out where it is written.
    pub fn is_plain(&self) -> bool {
        *self == Self::Plain
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.is_plain() { "http" } else { "https" }
    }

    /// Whom it must prove to be, if it must.
    pub fn trust(&self) -> Option<&Arc<Trust>> {
        match self {
            Self::Plain | Self::Unverified => None,
            Self::Verified(trust) => Some(trust),
        }
    }
}
