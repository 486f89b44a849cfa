//! The headers: what needs no body is settled here.

use super::Local;
use super::models;
use super::request::{Forward, Session, route};
use crate::access_log::Facts;
use crate::gen_ai::{self, span};
use crate::reply::{Refusal, Shape};
use crate::routing::Routes;
use crate::wire;
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::time::Duration;

/// What inference requests' paths begin with.
const API: &str = "/v1/";

/// Headers that a client may send; 431 beyond. Clients of this API send some twenty.
///
/// The listener takes more, for ours come on top: the picker's answer is measured with all of them, and would fail.
pub const MAX_HEADERS: usize = 100;

/// Bytes of names and values that a request's headers may have, its path among them; 431 beyond. Engines get them without ours:
/// uvicorn's parsers end at 64 KiB, with four more bytes a header.
pub const MAX_HEADER_BYTES: usize = 60 << 10;

/// What Envoy adds before we see it, or has merged into one.
const ENVOYS: [&str; 5] =
    ["x-forwarded-for", "x-forwarded-proto", "x-request-id", "x-envoy-external-address", "x-envoy-internal"];

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
    Reply(Local),
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

    /// What the answer is to be named in [`wire::ANTHROPIC_REQUEST_ID`], unless the engine names it so itself; `None` to clients
    /// that read [`wire::REQUEST_ID`], which Envoy returns.
    pub fn answer_id(&self) -> Option<&[u8]> {
        let id = self.value(wire::REQUEST_ID);
        (Shape::of_path(&self.path()) == Shape::Anthropic && !id.is_empty()).then_some(id)
    }

    /// What a span is to say of it.
    pub fn span(&self) -> span::Notes {
        span::begun(gen_ai::operation(&self.path()), self.value(":method"))
    }

    /// The names of what goes no further, to be removed before anything else: what a client may not send, and what
    /// engines are not to know.
    pub fn dropped<'h>(&'h self, routes: &Routes) -> impl Iterator<Item = &'h str> {
        let credentials = routes.table().drop_credentials;
        let names = self.headers.iter().map(|(name, _)| name.as_str());
        names.filter(move |name| {
            wire::is_reserved(name) || wire::is_for_proxies(name) || (credentials && wire::is_credential(name))
        })
    }

    /// Whether there are more of them, or more bytes, than a client may send.
    fn is_too_large(&self) -> bool {
        let names = || self.headers.iter().map(|(name, _)| name.as_str()).filter(|name| !name.starts_with(':'));
        // Each counts as Envoy's once.
        let added = ENVOYS.iter().filter(|added| names().any(|name| name == **added)).count();
        let bytes = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        names().count() > MAX_HEADERS + added || bytes > MAX_HEADER_BYTES
    }

    /// The path without its query, and the shape of errors on it.
    ///
    /// Percent-encoding is undone, as engines undo it: `/v1/chat%2Fcompletions` is no other path to them.
    pub(super) fn path(&self) -> Cow<'_, str> {
        decoded(std::str::from_utf8(self.value(":path")).unwrap_or_default())
    }

    /// Starts the request's life. `random` is any uniform value: see [`Session::finish`].
    pub fn open(self, routes: &Routes, random: u64) -> Opening {
        let shape = Shape::of_path(&self.path());
        let mut facts = Facts::default();
        let settled = self.settle(routes, random, &mut facts);
        settled.unwrap_or_else(|refusal| Opening::Reply(Local::refuse(&refusal, shape, facts)))
    }

    fn settle(self, routes: &Routes, random: u64, facts: &mut Facts) -> Result<Opening, Refusal> {
        if self.is_too_large() {
            return Err(Refusal::HeadersTooLarge { count: MAX_HEADERS, bytes: MAX_HEADER_BYTES });
        }
        let path = self.path();
        if matches!(&*path, "/healthz" | "/readyz") {
            return Ok(Opening::Pass);
        }
        let reads = matches!(self.value(":method"), b"GET" | b"HEAD");
        if reads && let Some(answer) = models::answer(routes, &path) {
            return answer.map(|reply| Opening::Reply(Local { reply, facts: Box::default() }));
        }
        if !path.starts_with(API) {
            return Err(Refusal::UnknownPath);
        }
        if !self.has_body {
            let model = std::str::from_utf8(self.value(wire::MODEL)).unwrap_or_default();
            if model.trim().is_empty() {
                return Err(Refusal::ModelMissing);
            }
            *facts = Facts::named(model, routes.has_model(model));
            let routed = route(routes, &self, model, random)?;
            let forward = Forward::new(&self, model, &routed, random, std::mem::take(facts), Duration::ZERO);
            return Ok(Opening::Forward(Box::new(forward)));
        }
        let limit = routes.table().max_request_body_bytes;
        let announced =
            std::str::from_utf8(self.value("content-length")).ok().and_then(|text| text.parse::<u64>().ok());
        if announced.is_some_and(|bytes| bytes > limit) {
            return Err(Refusal::BodyTooLarge { limit });
        }
        Ok(Opening::Body(Box::new(Session::new(self, limit, announced)?)))
    }
}

/// Whether a path, with or without its query, is one that inference requests have: those are logged.
pub fn is_inference(path: &str) -> bool {
    decoded(path).starts_with(API)
}

/// A path without its query, its percent-encoding undone.
fn decoded(path: &str) -> Cow<'_, str> {
    percent_decode_str(path.split(['?', '#']).next().unwrap_or_default()).decode_utf8_lossy()
}
