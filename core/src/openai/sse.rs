//! Reads a streamed answer: server-sent events (WHATWG HTML, section 9.2) with a JSON object each.
//!
//! Three things are asked of a stream: what the engine counted, which its last event with a `usage`
//! says; whether it told an error, which `[DONE]` and a clean end follow all the same; and, when it was
//! the gateway who asked for the usage, that the client never sees that event. An
//! event is recognised only when it is whole, so withholding holds back the event that a chunk cuts;
//! a client could not have used the half it misses. Without withholding every byte passes at once.
//!
//! A stream is thousands of small events of which one or two matter: those without the bytes
//! `"usage"` or `"error"` are never parsed, and events that lie whole in a chunk are never copied.

mod content;
mod event;
mod failure;
mod forwarding;
#[cfg(test)]
mod tests;

pub use self::failure::StreamError;
use self::{
    content::has_content,
    event::{Boundary, data},
    forwarding::Forwarding,
};
use super::{Usage, answer::AnswerReader, usage::Reported};

/// The longest event that is read, in bytes. A longer one (a picture, a stream that is no stream of
/// events) passes unread: it may not fill the gateway's memory, and no usage event comes near it.
const MAX_EVENT: usize = 1 << 20;

/// The reader of one streamed answer.
#[derive(Debug)]
pub struct UsageReader {
    withhold: bool,
    boundary: Boundary,
    /// What earlier chunks had of the current event.
    held: Vec<u8>,
    /// Whether the current event is too long to be read.
    overlong: bool,
    /// Whether the last event was withheld.
    withheld: bool,
    usage: Option<Reported>,
    events: u64,
    content: u64,
    done: bool,
    error: Option<StreamError>,
}

/// What goes to the client in the place of a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forward {
    /// The chunk itself.
    Unchanged,
    /// These bytes, perhaps none.
    Replace(Vec<u8>),
}

// === impl UsageReader ===

impl UsageReader {
    /// A reader that has read nothing. With `withhold`, events that have a `usage` and an empty
    /// `choices` do not reach the client.
    pub fn new(withhold: bool) -> Self {
        Self {
            withhold,
            boundary: Boundary::new(),
            held: Vec::new(),
            overlong: false,
            withheld: false,
            usage: None,
            events: 0,
            content: 0,
            done: false,
            error: None,
        }
    }

    /// Reads the next chunk, of any size.
    pub fn feed(&mut self, chunk: &[u8]) -> Forward {
        let mut forwarding = Forwarding::new(chunk, self.withhold);
        let mut rest = chunk;
        while !rest.is_empty() {
            if let Some(after) = self.boundary.late_line_feed(rest) {
                // It shares the fate of the event whose last line it ends.
                if self.withheld {
                    forwarding.stop();
                } else {
                    forwarding.pass(b"\n");
                }
                rest = after;
                continue;
            }
            let end = self.boundary.event_end(rest);
            let (piece, after) = rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or((rest, &[]));
            self.piece(piece, end.is_some(), &mut forwarding);
            rest = after;
        }
        forwarding.finish()
    }

    /// The stream has ended; returns what was held back of an event that it cut.
    ///
    /// Such an event is read all the same: engines differ in how they end their last one.
    pub fn finish(&mut self) -> Vec<u8> {
        let event = std::mem::take(&mut self.held);
        let withheld = !event.is_empty() && self.judge(&event);
        if self.withhold && !withheld { event } else { Vec::new() }
    }

    /// The last usage that the stream reported, so far.
    pub fn usage(&self) -> Option<Usage> {
        self.usage.and_then(Reported::counted)
    }

    /// Events with data so far, `[DONE]` not counted.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Events so far that the client waits for: from the first one that holds generated text on, all but those
    /// that only report usage.
    pub fn content(&self) -> u64 {
        self.content
    }

    /// Whether `[DONE]` was seen: the engine said all that it had to say. It says so after an error, too.
    pub fn done(&self) -> bool {
        self.done
    }

    /// The first error that the stream told, so far.
    pub fn error(&self) -> Option<&StreamError> {
        self.error.as_ref()
    }

    /// The next bytes of the current event, and whether they are its last.
    fn piece(&mut self, piece: &[u8], last: bool, forwarding: &mut Forwarding<'_>) {
        if !self.overlong && self.held.len() + piece.len() > MAX_EVENT {
            self.overlong = true;
            forwarding.add(&std::mem::take(&mut self.held));
        }
        if self.overlong {
            forwarding.pass(piece);
            self.overlong = !last;
            self.withheld = false;
        } else if !last {
            self.held.extend_from_slice(piece);
            forwarding.stop();
        } else if self.held.is_empty() {
            self.withheld = self.judge(piece);
            if self.withheld {
                forwarding.stop();
            } else {
                forwarding.pass(piece);
            }
        } else {
            let mut event = std::mem::take(&mut self.held);
            event.extend_from_slice(piece);
            self.withheld = self.judge(&event);
            forwarding.stop();
            if !self.withheld {
                forwarding.add(&event);
            }
            event.clear();
            self.held = event;
        }
    }

    /// Reads a whole event; answers whether it is withheld.
    fn judge(&mut self, event: &[u8]) -> bool {
        let data = data(event);
        if data.is_empty() {
            return false;
        }
        if data.trim_ascii() == b"[DONE]" {
            self.done = true;
            return false;
        }
        self.events += 1;
        if let Some(error) = StreamError::read(event, &data) {
            self.error.get_or_insert(error);
            // What was generated before it counts all the same.
            self.report(&data);
            return false;
        }
        let reported = self.report(&data);
        if !reported && (self.content > 0 || has_content(&data)) {
            self.content += 1;
        }
        self.withhold && reported
    }

    /// Reads the usage in an event's data, if there is any; answers whether there is nothing else.
    fn report(&mut self, data: &[u8]) -> bool {
        if memchr::memmem::find(data, br#""usage""#).is_none() {
            return false;
        }
        let mut answer = AnswerReader::new();
        answer.feed(data);
        let Some(usage) = answer.usage() else { return false };
        if usage.counted().is_some() {
            self.usage = Some(usage.after(self.usage));
        }
        answer.no_choices()
    }
}
