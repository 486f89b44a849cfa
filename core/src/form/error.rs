//! Why a form was refused, and at which byte.

/// A body that is not a form as clients' libraries write it, or one that exceeds a bound.
///
/// Its text is shown to the client with status 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// The header names no boundary, or none that is one.
    #[error("content-type: multipart/form-data needs a boundary of 1 to {limit} characters", limit = super::boundary::LONGEST)]
    NoBoundary,
    /// The header has a parameter by which engines might read another form than we do.
    #[error("content-type: multipart/form-data takes boundary and charset=utf-8, and no other parameter")]
    Parameter,
    /// The body does not begin with the boundary, or something else follows a boundary than RFC 2046 has there.
    #[error("expected the boundary of the form at byte {offset}")]
    NotAtBoundary {
        /// The first byte that is otherwise.
        offset: usize,
    },
    /// The headers of a part are longer than they may be.
    #[error("headers of a part are longer than {limit} bytes at byte {offset}")]
    HeadersTooLong {
        /// The most bytes accepted, the blank line included.
        limit: usize,
        /// Where they start.
        offset: usize,
    },
    /// A part without exactly one `Content-Disposition: form-data; name="..."`.
    #[error("expected one Content-Disposition with one name for each part, at byte {offset}")]
    Nameless {
        /// Where its headers start.
        offset: usize,
    },
    /// A second field of that name.
    #[error("`model` is there twice, at byte {offset}")]
    Twice {
        /// Where its value starts.
        offset: usize,
    },
    /// The value is longer than it may be.
    #[error("`model` is longer than {limit} bytes at byte {offset}")]
    ModelTooLong {
        /// The most bytes accepted.
        limit: usize,
        /// Where the value starts.
        offset: usize,
    },
    /// The value is no text.
    #[error("`model` is not UTF-8 at byte {offset}")]
    ModelNotText {
        /// Where the value starts.
        offset: usize,
    },
    /// The last boundary did not come.
    #[error("unexpected end of the form at byte {offset}")]
    UnexpectedEnd {
        /// The length of the body.
        offset: usize,
    },
}
