//! Edits a request body without re-writing it.
//!
//! Parsing and serialising again would reorder members, re-spell numbers and drop duplicates: bytes
//! that are the client's, of a body that may be megabytes long. Envoy can replace a *prefix* of a
//! buffered body, so an edit costs one copy of the bytes up to the last edit's end, and options are
//! added at the front, where that prefix is a few bytes.

#[cfg(test)]
mod tests;

use super::{Model, Scan, Span, StreamOptions};

/// Edits of one body, in the order of their places; every other byte stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rewrite {
    edits: Vec<Edit>,
    adds_usage: bool,
}

/// Replaces the bytes at `span` by `text`; an empty span inserts.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Edit {
    span: Span,
    text: String,
}

// === impl Rewrite ===

impl Rewrite {
    /// Plans the edits of the body that `scan` describes.
    ///
    /// With `model`, the body's model gets that name. With `include_usage`, a streamed request asks
    /// for `stream_options.include_usage`, its other options kept; options that are neither an
    /// object nor `null` are left for the engine to refuse. `continuous_usage_stats`, without effect
    /// so far, is turned off, or the client would get what it did not ask for with every event.
    pub fn plan(scan: &Scan, model: Option<&str>, include_usage: bool) -> Self {
        let usage = if include_usage && scan.stream { usage_edit(scan) } else { None };
        let adds_usage = usage.is_some();
        let usage = usage.into_iter().chain(continuous_usage_edit(scan).filter(|_| adds_usage));
        let model = model.and_then(|model| model_edit(scan, model));
        let mut edits: Vec<Edit> = usage.chain(model).collect();
        edits.sort_by_key(|edit| edit.span.start);
        Self { edits, adds_usage }
    }

    /// Puts another text into a form at this place, where a field's value is.
    pub fn field(span: Span, text: &str) -> Self {
        Self { edits: vec![Edit { span, text: text.to_owned() }], adds_usage: false }
    }

    /// Whether the body stays as it is.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Whether the engine will report usage that the client did not ask for.
    pub fn adds_usage(&self) -> bool {
        self.adds_usage
    }

    /// How many of the body's first bytes are replaced: up to the last edit's end.
    pub fn prefix_len(&self) -> usize {
        self.edits.last().map_or(0, |edit| edit.span.end)
    }

    /// What replaces `prefix`, the body's first [`Rewrite::prefix_len`] bytes.
    ///
    /// More of the body may be given and is kept; from fewer bytes than that nothing can be edited,
    /// and they are returned as they are.
    pub fn apply(&self, prefix: &[u8]) -> Vec<u8> {
        self.edited(prefix).unwrap_or_else(|| prefix.to_vec())
    }

    fn edited(&self, prefix: &[u8]) -> Option<Vec<u8>> {
        let added: usize = self.edits.iter().map(|edit| edit.text.len()).sum();
        let mut edited = Vec::with_capacity(prefix.len() + added);
        let mut kept = 0;
        for edit in &self.edits {
            edited.extend_from_slice(prefix.get(kept..edit.span.start)?);
            edited.extend_from_slice(edit.text.as_bytes());
            kept = edit.span.end;
        }
        edited.extend_from_slice(prefix.get(kept..)?);
        Some(edited)
    }
}

fn model_edit(scan: &Scan, model: &str) -> Option<Edit> {
    match &scan.model {
        Model::Name { name, span } if name != model => {
            Some(Edit { span: *span, text: serde_json::Value::from(model).to_string() })
        }
        _ => None,
    }
}

fn usage_edit(scan: &Scan) -> Option<Edit> {
    match &scan.stream_options {
        StreamOptions::Absent => {
            let comma = if scan.empty { "" } else { "," };
            Some(insert(scan.members_at, format!(r#""stream_options":{{"include_usage":true}}{comma}"#)))
        }
        StreamOptions::Null(span) => Some(Edit { span: *span, text: r#"{"include_usage":true}"#.to_owned() }),
        StreamOptions::Object { include_usage: Some(usage), .. } if usage.on => None,
        StreamOptions::Object { include_usage: Some(usage), .. } => {
            Some(Edit { span: usage.span, text: "true".to_owned() })
        }
        StreamOptions::Object { span, empty, include_usage: None, .. } => {
            let comma = if *empty { "" } else { "," };
            Some(insert(span.start + 1, format!(r#""include_usage":true{comma}"#)))
        }
        StreamOptions::Other(_) => None,
    }
}

fn continuous_usage_edit(scan: &Scan) -> Option<Edit> {
    match &scan.stream_options {
        StreamOptions::Object { continuous_usage: Some(usage), .. } if usage.on => {
            Some(Edit { span: usage.span, text: "false".to_owned() })
        }
        _ => None,
    }
}

fn insert(at: usize, text: String) -> Edit {
    Edit { span: Span { start: at, end: at }, text }
}
