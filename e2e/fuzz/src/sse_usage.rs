//! Any bytes as an engine's answer: what is read and what goes on do not depend on the chunks, and
//! nothing is lost but whole events.

use crate::somewhere;
use kthena_core::openai::{BodyUsage, Forward, Usage, UsageReader};

/// Feeds the bytes.
///
/// # Panics
/// When something that must hold does not.
pub fn run(answer: &[u8]) {
    let (first, rest) = answer.split_at(somewhere(answer));
    let withheld = stream(true, [answer]);
    assert_eq!(stream(true, answer.chunks(1)), withheld);
    assert_eq!(stream(true, [first, rest]), withheld);

    let passed = stream(false, answer.chunks(1));
    assert_eq!(passed.forwarded, answer);
    assert_eq!(Read { forwarded: withheld.forwarded.clone(), ..passed }, withheld);
    assert!(is_subsequence(&withheld.forwarded, answer));

    assert_eq!(body(answer.chunks(1)), body([answer]));
}

#[derive(Debug, PartialEq)]
struct Read {
    forwarded: Vec<u8>,
    usage: Option<Usage>,
    events: u64,
    done: bool,
}

fn stream<'a>(withhold: bool, chunks: impl IntoIterator<Item = &'a [u8]>) -> Read {
    let mut reader = UsageReader::new(withhold);
    let mut forwarded = Vec::new();
    for chunk in chunks {
        match reader.feed(chunk) {
            Forward::Unchanged => forwarded.extend_from_slice(chunk),
            Forward::Replace(bytes) => forwarded.extend(bytes),
        }
    }
    forwarded.extend(reader.finish());
    Read { forwarded, usage: reader.usage(), events: reader.events(), done: reader.done() }
}

fn body<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Option<Usage> {
    let mut body = BodyUsage::new();
    for chunk in chunks {
        body.feed(chunk);
    }
    body.usage()
}

fn is_subsequence(kept: &[u8], all: &[u8]) -> bool {
    let mut all = all.iter();
    kept.iter().all(|byte| all.any(|other| other == byte))
}
