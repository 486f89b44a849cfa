//! One file's text: its documents, and what became of each.

use kthena_crds::{Problem, Subject};
use serde_json::Value;
use serde_saphyr::options::NonFiniteFloatPolicy;

use super::object::{self, Object, Outcome};

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Yaml,
    /// Read as JSON rather than as the YAML it nearly is: YAML refuses tabs as indentation.
    Json,
}

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Manifest {
    pub(super) objects: Vec<Object>,
    /// Why something is not served. A file with any of these is not taken at all: half of an edit
    /// is worse than none.
    pub(super) refusals: Vec<Problem>,
    /// What has no effect but keeps nothing from being served.
    pub(super) remarks: Vec<Problem>,
    /// Objects of other kinds, one line each.
    pub(super) skipped: Vec<String>,
}

impl Manifest {
    /// Reads a file's text; `file` is the name to show.
    pub(super) fn parse(text: &str, format: Format, file: &str) -> Self {
        let mut manifest = Self::default();
        match documents(text, format) {
            Ok(documents) => {
                for (index, document) in documents.into_iter().enumerate() {
                    manifest.add(document, file, &format!("document {}", index + 1));
                }
            }
            Err(message) => {
                let subject = Subject::File(file.to_owned());
                manifest.refusals.push(Problem::new(subject, message));
            }
        }
        manifest
    }

    fn add(&mut self, document: Value, file: &str, position: &str) {
        match document {
            Value::Object(mut map) if map.get("kind").is_some_and(|kind| kind == "List") => {
                let items = match map.remove("items") {
                    Some(Value::Array(items)) => items,
                    _ => Vec::new(),
                };
                for (index, item) in items.into_iter().enumerate() {
                    self.add(item, file, &format!("{position}: items[{index}]"));
                }
            }
            Value::Object(_) => match object::read(document, file, position) {
                Outcome::Served(object, remarks) => {
                    self.objects.push(object);
                    self.remarks.extend(remarks);
                }
                Outcome::Skipped(object) => {
                    let line = format!("{object} in {file}: not served here, skipped");
                    self.skipped.push(line);
                }
                Outcome::Refused(problems) => self.refusals.extend(problems),
            },
            _ => {
                let subject = Subject::File(file.to_owned());
                let message = "expected a mapping with apiVersion, kind and metadata";
                self.refusals.push(Problem::new(subject, message).at(position));
            }
        }
    }
}

/// Splits a text into its documents. Empty ones, and those of comments only, are left out.
fn documents(text: &str, format: Format) -> Result<Vec<Value>, String> {
    match format {
        Format::Yaml => {
            serde_saphyr::from_multiple_with_options(text, options()).map_err(|error| match may_hold_secrets(text) {
                true => place(&error),
                false => error.to_string(),
            })
        }
        // Its messages on syntax quote nothing.
        Format::Json => serde_json::Deserializer::from_str(text)
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string()),
    }
}

/// Whether a text that cannot be read may be one of Secrets, cut off as it may be.
fn may_hold_secrets(text: &str) -> bool {
    text.contains("Secret") || text.contains("stringData")
}

/// What is wrong and where, without anything of the text: a key, a tag and a number may be what a Secret holds.
fn place(error: &serde_saphyr::Error) -> String {
    let what = match error.without_snippet() {
        serde_saphyr::Error::DuplicateMappingKey { .. } => "duplicate mapping key",
        serde_saphyr::Error::UnknownAnchor { .. } => "alias references unknown anchor",
        serde_saphyr::Error::Eof { .. } => "unexpected end of input",
        _ => "not YAML as it is expected",
    };
    let at = error.location().map(|at| format!(" at line {}, column {}", at.line(), at.column()));
    format!("{what}{} (no more is shown, as the file holds a Secret)", at.unwrap_or_default())
}

/// Reads YAML as `kubectl apply` does, and bounds only what a file of the permitted size could
/// not honestly need.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        // Thousands of Pods with a screenful each are an ordinary directory; the file's size
        // bounds the rest. Aliases keep their own limits.
        budget: serde_saphyr::budget! {
            max_events: usize::MAX,
            max_nodes: usize::MAX,
            max_documents: usize::MAX,
            max_buffered_comment_events: usize::MAX,
        },
        // A label `n` is a text; kubectl says so too.
        strict_booleans: true,
        // `defaultMode: 0644` in a Pod.
        legacy_octal_numbers: true,
        // A commit such as 12e3456 unquoted: the typed field says what it wants.
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        // A problem is one line.
        with_snippet: false,
    }
}

#[cfg(test)]
mod tests;
