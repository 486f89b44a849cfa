//! The engine's answer on its way back: usage is read, and the usage chunk that we asked for withheld.

use crate::access_log::{self, Chunks, Facts};
use crate::openai::{BodyUsage, Forward, Usage, UsageReader};
use crate::reply::Refusal;
use std::time::Duration;

/// Reads one answer.
#[derive(Debug)]
pub struct Answer {
    injected: bool,
    reader: Reader,
    facts: Facts,
    chunks: Option<Chunks>,
}

#[derive(Debug)]
enum Reader {
    None,
    /// Encoded, and so nothing that could be read.
    Encoded,
    Stream(UsageReader),
    Body(BodyUsage),
}

// === impl Answer ===

impl Answer {
    /// An answer to come to a request of which that much is known.
    pub(super) fn expect(facts: Facts) -> Self {
        Self { injected: false, reader: Reader::None, facts, chunks: None }
    }

    /// Whether the usage chunk is one that the client did not ask for.
    pub(super) fn inject(&mut self, injected: bool) {
        self.injected = injected;
    }

    /// `namespace/name` of the ModelServer that answers.
    pub fn server(&self) -> &str {
        self.facts.target.as_ref().map(|(server, _)| server.as_str()).unwrap_or_default()
    }

    /// Whether its retries were withheld.
    pub fn rationed(&self) -> bool {
        self.facts.rationed
    }

    pub(super) fn ration(&mut self) {
        self.facts.rationed = true;
    }

    /// What was known before the answer came.
    pub fn known(&self) -> &Facts {
        &self.facts
    }

    /// What is known of a request that was given up on.
    pub fn given_up(&self) -> Facts {
        let refusal = Refusal::TimedOut;
        self.facts().refused(refusal.kind(), &refusal.to_string())
    }

    /// Takes the answer's headers. Returns whether its length may change, so that an announced one must go.
    ///
    /// An answer encoded although we asked for `identity` passes untouched and unread.
    pub fn start(&mut self, content_type: &[u8], content_encoding: &[u8]) -> bool {
        let encoded = !content_encoding.is_empty() && !content_encoding.eq_ignore_ascii_case(b"identity");
        let is = |media: &[u8]| content_type.get(..media.len()).is_some_and(|start| start.eq_ignore_ascii_case(media));
        self.reader = if encoded {
            Reader::Encoded
        } else if is(b"text/event-stream") {
            Reader::Stream(UsageReader::new(self.injected))
        } else if is(b"application/json") {
            Reader::Body(BodyUsage::new())
        } else {
            Reader::None
        };
        self.injected && matches!(self.reader, Reader::Stream(_))
    }

    /// Whether [`Answer::feed`] wants the body.
    pub fn reads(&self) -> bool {
        matches!(self.reader, Reader::Stream(_) | Reader::Body(_))
    }

    /// Whether the engine encoded it, although it was asked not to.
    pub fn encoded(&self) -> bool {
        matches!(self.reader, Reader::Encoded)
    }

    /// Takes a chunk; `now` answers the time from the request's start, if that is wanted. Answers what goes to the client in its place, if
    /// anything else than itself.
    pub fn feed(&mut self, chunk: &[u8], last: bool, now: impl FnOnce() -> Duration) -> Option<Vec<u8>> {
        match &mut self.reader {
            Reader::None | Reader::Encoded => None,
            Reader::Body(body) => {
                body.feed(chunk);
                None
            }
            Reader::Stream(stream) => {
                let before = stream.content();
                let forward = stream.feed(chunk);
                if stream.content() > before {
                    let now = now();
                    match &mut self.chunks {
                        None => self.chunks = Some(Chunks::begin(now)),
                        Some(chunks) => chunks.next(now),
                    }
                }
                if !last {
                    return match forward {
                        Forward::Unchanged => None,
                        Forward::Replace(bytes) => Some(bytes),
                    };
                }
                let held = stream.finish();
                match forward {
                    Forward::Unchanged if held.is_empty() => None,
                    Forward::Unchanged => Some([chunk, &held].concat()),
                    Forward::Replace(mut bytes) => {
                        bytes.extend(held);
                        Some(bytes)
                    }
                }
            }
        }
    }

    /// What the engine reported, so far.
    pub fn usage(&self) -> Option<Usage> {
        match &self.reader {
            Reader::None | Reader::Encoded => None,
            Reader::Stream(stream) => stream.usage(),
            Reader::Body(body) => body.usage(),
        }
    }

    /// All that is known of the request, for the log.
    pub fn facts(&self) -> Facts {
        let usage =
            self.usage().map(|usage| access_log::Usage { input: usage.prompt_tokens, output: usage.completion_tokens });
        let told = match &self.reader {
            Reader::Stream(stream) => stream.error().map(|error| (error.status, error.message.clone())),
            Reader::None | Reader::Encoded | Reader::Body(_) => None,
        };
        Facts { usage, chunks: self.chunks.clone(), told, ..self.facts.clone() }
    }
}
