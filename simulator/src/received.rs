//! What was sent to the engine: the proof that a proxy changed what it should and no other byte.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::request;
use bytes::Bytes;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// The last requests, oldest first.
#[derive(Debug, Default)]
pub struct Recorder(Mutex<VecDeque<Received>>);

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Received {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    digest: BodyDigest,
    /// The body's first bytes.
    head: Bytes,
}

/// Size and hash of a body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BodyDigest {
    /// Length in bytes.
    #[serde(rename = "body_bytes")]
    pub bytes: usize,
    /// SHA-256 of the whole body, in lower-case hex.
    #[serde(rename = "body_sha256")]
    pub sha256: String,
}

/// A [`Received`] as the inspection endpoint shows it.
#[derive(Debug, Serialize)]
pub struct Shown {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    #[serde(flatten)]
    digest: BodyDigest,
    body: String,
}

/// How many requests are kept.
const KEPT_REQUESTS: usize = 64;

/// How much of a body is kept: enough to read what was asked, little enough for prompts of megabytes.
const KEPT_BODY_BYTES: usize = 64 * 1024;

// === impl Recorder ===

impl Recorder {
    /// Adds a request; the oldest gives way.
    pub fn record(&self, received: Received) {
        let mut kept = self.lock();
        if kept.len() == KEPT_REQUESTS {
            kept.pop_front();
        }
        kept.push_back(received);
    }

    /// What is kept, oldest first.
    pub fn shown(&self) -> Vec<Shown> {
        let kept: Vec<Received> = self.lock().iter().cloned().collect();
        kept.into_iter().map(Shown::from).collect()
    }

    /// Forgets all.
    pub fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Received>> {
        // No step under the lock can leave the list half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Received ===

impl Received {
    pub fn new(head: &request::Parts, body: &Bytes) -> Self {
        let lossy = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        Self {
            method: head.method.to_string(),
            path: head.uri.to_string(),
            headers: head.headers.iter().map(|(name, value)| (name.to_string(), lossy(value.as_bytes()))).collect(),
            digest: BodyDigest::of(body),
            // A slice would keep the whole body alive.
            head: match body.get(..KEPT_BODY_BYTES) {
                Some(head) => Bytes::copy_from_slice(head),
                None => body.clone(),
            },
        }
    }

    pub fn digest(&self) -> &BodyDigest {
        &self.digest
    }
}

// === impl BodyDigest ===

impl BodyDigest {
    fn of(body: &[u8]) -> Self {
        let sha256 = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { bytes: body.len(), sha256 }
    }
}

// === impl Shown ===

impl From<Received> for Shown {
    fn from(received: Received) -> Self {
        Self {
            method: received.method,
            path: received.path,
            headers: received.headers,
            digest: received.digest,
            body: String::from_utf8_lossy(&received.head).into_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn received(path: &str, body: &Bytes) -> Received {
        let (head, ()) = Request::post(path).body(()).expect("a valid request").into_parts();
        Received::new(&head, body)
    }

    #[test]
    fn only_the_last_requests_are_kept() {
        let recorder = Recorder::default();
        for number in 0..KEPT_REQUESTS + 3 {
            recorder.record(received(&format!("/{number}"), &Bytes::new()));
        }
        let shown = recorder.shown();
        assert_eq!(shown.len(), KEPT_REQUESTS);
        assert_eq!(shown[0].path, "/3");
        recorder.clear();
        assert_eq!(recorder.shown().len(), 0);
    }

    #[test]
    fn a_long_body_is_hashed_whole_and_kept_in_part() {
        let body = Bytes::from(vec![b'x'; KEPT_BODY_BYTES + 1]);
        let recorder = Recorder::default();
        recorder.record(received("/", &body));
        let shown = recorder.shown();
        assert_eq!(shown[0].body.len(), KEPT_BODY_BYTES);
        assert_eq!(shown[0].digest.bytes, KEPT_BODY_BYTES + 1);
    }

    #[test]
    fn the_hash_is_the_usual_one() {
        let digest = BodyDigest::of(b"abc");
        assert_eq!(digest.bytes, 3);
        assert_eq!(digest.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
