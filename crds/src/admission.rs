//! What is refused beyond what the types can say.
//!
//! On a cluster two judges stand before an object: the CRD's schema and the validating webhook.
//! In a directory nobody does, so these rules hold both: the webhook's conditions in upstream's
//! words, and the schema's bounds. Whether a regex compiles is not asked here, since the data
//! plane compiles it with its own engine.

pub mod model_route;
pub mod model_server;
pub mod name;
pub mod pod;

mod label;

use std::fmt;

use crate::{Problem, Subject};

/// One reason to refuse an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field as a path, e.g. `spec.rules[0].targetModels[1]`.
    pub field: String,
    /// What is wrong and what is accepted.
    pub message: String,
}

impl Violation {
    pub(crate) fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }

    /// The same reason as a problem of `object`.
    #[must_use]
    pub fn into_problem(self, object: impl Into<Subject>) -> Problem {
        Problem::new(object, self.message).at(self.field)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// Adds a violation when a list is longer than the schema allows.
fn at_most(max: usize, field: &str, given: usize, violations: &mut Vec<Violation>) {
    if given > max {
        let message = format!("must have at most {max} items, has {given}");
        violations.push(Violation::new(field, message));
    }
}
