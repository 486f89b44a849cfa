//! Answers: whole, and as they come.

use anyhow::{Context, bail};
use bytes::Bytes;
use http::{HeaderMap, Response, Version};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;

/// The end of a stream of the OpenAI protocol.
const DONE: &str = "[DONE]";

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The version of HTTP that it came by.
    pub version: Version,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// An answer that comes in events.
#[derive(Debug)]
pub struct Stream {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    body: Incoming,
    unread: Vec<u8>,
}

// === impl Answer ===

impl Answer {
    pub(crate) async fn read(response: Response<Incoming>) -> anyhow::Result<Self> {
        let (head, body) = response.into_parts();
        let body = body.collect().await.with_context(|| format!("the body of a {}", head.status))?.to_bytes();
        Ok(Self { status: head.status.as_u16(), version: head.version, headers: head.headers, body })
    }

    /// The body as text.
    ///
    /// # Panics
    /// As the next ones: when the answer is not of that kind.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {}: {:?}", self.status, self.text()))
    }

    /// A header; empty where it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// Which simulated engine answered, `namespace/pod`; empty where none did.
    pub fn pod(&self) -> &str {
        self.header("x-simulator")
    }

    /// `error.message`, in either shape of errors.
    pub fn error(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap_or_else(|| panic!("no error in {}", self.text())).to_owned()
    }

    /// Asserts an answer with that status and message.
    #[track_caller]
    pub fn assert_error(&self, status: u16, message: &str) {
        assert_eq!((self.status, self.error().as_str()), (status, message), "{}", self.text());
    }

    /// Asserts a success, and returns the answer for more.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.status, 200, "{}", self.text());
        self
    }

    /// The events of a stream, without `[DONE]`, which must be the last.
    pub fn events(&self) -> Vec<Value> {
        assert_eq!(self.header("content-type"), "text/event-stream; charset=utf-8", "{}", self.text());
        let events = self.text().strip_suffix("data: [DONE]\n\n").expect("[DONE] at the end").split_terminator("\n\n");
        let json = |event: &str| serde_json::from_str(event.strip_prefix("data: ").expect("only data"));
        events.map(|event| json(event).expect("JSON")).collect()
    }
}

// === impl Stream ===

impl Stream {
    pub(crate) fn new(response: Response<Incoming>) -> Self {
        let (head, body) = response.into_parts();
        Self { status: head.status.as_u16(), headers: head.headers, body, unread: Vec::new() }
    }

    /// The data of the next event; `None` when the answer is over.
    ///
    /// # Errors
    /// The answer broke off, or something else than events came.
    pub async fn event(&mut self) -> anyhow::Result<Option<String>> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|pair| pair == b"\n\n") {
                let event: Vec<u8> = self.unread.drain(..end + 2).collect();
                let text = String::from_utf8(event).context("an event")?;
                return Ok(Some(text.trim_end().strip_prefix("data: ").context("only data")?.to_owned()));
            }
            match self.body.frame().await {
                None if self.unread.is_empty() => return Ok(None),
                None => bail!("half an event at the end: {:?}", String::from_utf8_lossy(&self.unread)),
                Some(frame) => {
                    if let Ok(data) = frame.context("the stream broke off")?.into_data() {
                        self.unread.extend_from_slice(&data);
                    }
                }
            }
        }
    }

    /// Reads to the end, and counts the events that carry a word.
    ///
    /// # Errors
    /// Anything but a 200 with whole events and `[DONE]` as the last.
    pub async fn words(mut self) -> anyhow::Result<usize> {
        let mut words = 0;
        let mut last = String::new();
        while let Some(event) = self.event().await? {
            if let Ok(json) = serde_json::from_str::<Value>(&event) {
                let text = json["choices"][0]["delta"]["content"].as_str();
                words += usize::from(text.is_some_and(|text| !text.is_empty()));
            }
            last = event;
        }
        if self.status != 200 || last != DONE {
            bail!("status {}, last event {last:?}", self.status);
        }
        Ok(words)
    }
}
