//! The headers: what needs no body is settled here.

use super::models;
use super::request::{Forward, Session, route};
use crate::reply::{Refusal, Reply, Shape};
use crate::routing::Routes;
use crate::wire;
use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// A request's headers as the client sent them.
#[derive(Debug, Default)]
pub struct Head {
    /// Lower-case names; pseudo headers included.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Whether a body follows.
    pub has_body: bool,
}

/// What the headers alone settle.
#[derive(Debug)]
pub enum Opening {
    /// Not an inference request: Envoy's own routes answer it.
    Pass,
    /// We answer.
    Reply(Reply),
    /// On its way without a body.
    Forward(Box<Forward>),
    /// Hold the headers and feed the body.
    Body(Box<Session>),
}

// === impl Head ===

impl Head {
    /// The first value of a header; empty where it is absent.
    pub fn value(&self, name: &str) -> &[u8] {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_slice()).unwrap_or_default()
    }

    /// The names that a client may not send, to be removed before anything else.
    pub fn reserved(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().map(|(name, _)| name.as_str()).filter(|name| wire::is_reserved(name))
    }

    /// The path without its query, and the shape of errors on it.
    ///
    /// Percent-encoding is undone, as engines undo it: `/v1/chat%2Fcompletions` is no other path to them.
    pub(super) fn path(&self) -> Cow<'_, str> {
        let path = std::str::from_utf8(self.value(":path")).unwrap_or_default();
        percent_decode_str(path.split(['?', '#']).next().unwrap_or_default()).decode_utf8_lossy()
    }

    /// Starts the request's life. `random` is any uniform value.
    pub fn open(self, routes: &Routes, random: u64) -> Opening {
        let shape = Shape::of_path(&self.path());
        self.settle(routes, random).unwrap_or_else(|refusal| Opening::Reply(refusal.reply(shape)))
    }

    fn settle(self, routes: &Routes, random: u64) -> Result<Opening, Refusal> {
        let path = self.path();
        if matches!(&*path, "/healthz" | "/readyz") {
            return Ok(Opening::Pass);
        }
        let reads = matches!(self.value(":method"), b"GET" | b"HEAD");
        if reads && let Some(answer) = models::answer(routes, &path) {
            return answer.map(Opening::Reply);
        }
        if !path.starts_with("/v1/") {
            return Err(Refusal::UnknownPath);
        }
        if !self.has_body {
            let model = std::str::from_utf8(self.value(wire::MODEL)).unwrap_or_default();
            if model.trim().is_empty() {
                return Err(Refusal::ModelMissing);
            }
            return route(routes, &self, model, random)
                .map(|routed| Opening::Forward(Box::new(Forward::new(&self, model, &routed))));
        }
        let limit = routes.table().max_request_body_bytes;
        let announced =
            std::str::from_utf8(self.value("content-length")).ok().and_then(|text| text.parse::<u64>().ok());
        if announced.is_some_and(|bytes| bytes > limit) {
            return Err(Refusal::BodyTooLarge { limit });
        }
        Ok(Opening::Body(Box::new(Session::new(self, limit))))
    }
}
