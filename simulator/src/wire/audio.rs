//! vLLM's `/v1/audio/transcriptions` and `/v1/audio/translations`. From its sources: no engine that hears was captured.

use bytes::Bytes;
use serde::Serialize;

use super::{Choice, Counts, DONE, Event, Head, Piece, Script, UsageMode, finish_reason};

/// What is made of speech.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Its words.
    Transcribe,
    /// Its words in English.
    Translate,
}

/// The text of an audio file.
#[derive(Debug)]
pub struct Audio {
    head: Head,
    start: String,
    /// None for a translation, of which vLLM counts nothing.
    seconds: Option<u64>,
}

#[derive(Serialize)]
struct Whole<'a> {
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
}

#[derive(Serialize)]
struct Usage {
    r#type: &'static str,
    seconds: u64,
}

// === impl Task ===

impl Task {
    /// What an answer's id begins with.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Transcribe => "trsc-",
            Self::Translate => "trsl-",
        }
    }

    fn object(self) -> &'static str {
        match self {
            Self::Transcribe => "transcription.chunk",
            Self::Translate => "translation.chunk",
        }
    }
}

// === impl Audio ===

impl Audio {
    /// The text of a file of that many seconds, rounded up.
    pub fn new(head: Head, task: Task, seconds: u64) -> Self {
        let start = head.chunk_start(task.object());
        Self { head, start, seconds: (task == Task::Transcribe).then_some(seconds) }
    }
}

impl Script for Audio {
    fn token(&mut self, token: &Piece<'_>, to: &mut Event) {
        to.raw(&self.start).raw(r#"{"delta":{"content":"#).text(token.text).raw("}");
        if token.last {
            to.raw(r#","finish_reason":"#).text(finish_reason(token.stop));
            to.raw(r#","stop_reason":"#).json(&token.stop);
        }
        to.raw("}]");
        if self.head.usage == UsageMode::Always {
            super::usage_start(self.head.prompt_tokens(token.choice), u64::from(token.position) + 1, to);
            to.raw("}");
        }
        to.raw("}\n\n");
    }

    fn close(&mut self, counts: Counts, to: &mut Event) {
        if self.head.usage != UsageMode::Never {
            to.raw(&self.start).raw("]");
            super::usage_start(counts.prompt, counts.completion, to);
            to.raw("}}\n\n");
        }
        to.raw(DONE);
    }

    fn fail(&mut self, message: &str, kind: &str, code: u16, to: &mut Event) {
        super::failure(message, kind, code, to);
    }

    fn whole(&mut self, choices: &[Choice], _: Counts) -> Bytes {
        let text = choices.first().map_or("", |choice| &choice.text);
        super::json(&Whole { text, usage: self.seconds.map(|seconds| Usage { r#type: "duration", seconds }) })
    }
}
