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
    /// [`FormError::NoBoundary`] of a form without one boundary.
    pub fn of(content_type: &[u8]) -> Option<Result<Self, FormError>> {
        let end = content_type.iter().position(|byte| *byte == b';').unwrap_or(content_type.len());
        let (media, rest) = content_type.split_at_checked(end)?;
        if !media.trim_ascii().eq_ignore_ascii_case(b"multipart/form-data") {
            return None;
        }
        Some(Self::named(rest).ok_or(FormError::NoBoundary))
    }

    fn named(rest: &[u8]) -> Option<Self> {
        let mut names = parameters(rest)?.into_iter().filter(|(name, _)| name.eq_ignore_ascii_case(b"boundary"));
        let (_, name) = names.next()?;
        let one = names.next().is_none() && (1..=LONGEST).contains(&name.len());
        // A line cannot be part of it: the search relies on that.
        let plain = name.iter().all(|byte| (byte.is_ascii_graphic() && *byte != b'\\') || *byte == b' ');
        let plain = plain && !name.ends_with(b" ");
        (one && plain).then(|| Self([b"\r\n--", name].concat()))
    }

    /// The delimiter's bytes.
    pub(super) fn delimiter(&self) -> &[u8] {
        &self.0
    }
}
