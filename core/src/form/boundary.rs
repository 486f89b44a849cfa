//! The boundary that a `Content-Type` announces.

use super::FormError;
use super::disposition::parameters;

/// The longest one, by RFC 2046.
pub(super) const LONGEST: usize = 70;

/// What ends each part: `\r\n--` and the boundary's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boundary(Vec<u8>);

// === impl Boundary ===

impl Boundary {
    /// The boundary of a form with this `Content-Type`; `None` where the body is no form.
    ///
    /// # Errors
    /// [`FormError::NoBoundary`] of a form without one boundary, [`FormError::Parameter`] of one that says more.
    pub fn of(content_type: &[u8]) -> Option<Result<Self, FormError>> {
        let end = content_type.iter().position(|byte| *byte == b';').unwrap_or(content_type.len());
        let (media, rest) = content_type.split_at_checked(end)?;
        if !media.trim_ascii().eq_ignore_ascii_case(b"multipart/form-data") {
            return None;
        }
        Some(Self::named(rest))
    }

    fn named(rest: &[u8]) -> Result<Self, FormError> {
        let mut found = None;
        for (parameter, value) in parameters(rest).ok_or(FormError::NoBoundary)? {
            if parameter.eq_ignore_ascii_case(b"boundary") {
                if found.replace(value).is_some() {
                    return Err(FormError::NoBoundary);
                }
            } else if !parameter.eq_ignore_ascii_case(b"charset") || !value.eq_ignore_ascii_case(b"utf-8") {
                // Engines decode names and values by the charset: in utf-7, `+AG0-odel` is `model`.
                return Err(FormError::Parameter);
            }
        }
        let name = found.ok_or(FormError::NoBoundary)?;
        let one = (1..=LONGEST).contains(&name.len());
        // A line cannot be part of it: the search relies on that.
        let plain = name.iter().all(|byte| (byte.is_ascii_graphic() && *byte != b'\\') || *byte == b' ');
        let plain = plain && !name.ends_with(b" ");
        if one && plain { Ok(Self([b"\r\n--", name].concat())) } else { Err(FormError::NoBoundary) }
    }

    /// The delimiter's bytes.
    pub(super) fn delimiter(&self) -> &[u8] {
        &self.0
    }
}
