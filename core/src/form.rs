//! Reads a `multipart/form-data` body (RFC 7578) while it arrives, for its field `model`.
//!
//! Audio is sent so, megabytes of it, with the model's name before or behind it. The file passes through the search for the
//! next boundary and is never copied; of every other field only the name is looked at.
//!
//! What is accepted is what clients' libraries write, and no more: engines' parsers differ in what they forgive, and
//! gateway and engine must not be made to see two different requests. So a part without a name, a name written in
//! another notation (`name*`) and a second `model` are refused, where a parser might choose for itself.

mod boundary;
mod disposition;
mod error;
mod scanner;
#[cfg(test)]
mod tests;

pub use self::{boundary::Boundary, error::FormError, scanner::FormScanner};
use crate::openai::Span;

/// The field `model` of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormModel {
    /// Its value; may be blank.
    pub name: String,
    /// The value's place in the body.
    pub span: Span,
}
