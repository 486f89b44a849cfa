//! Any bytes as a form: chunks make no difference, and where a model is found it stands at its place and can be
//! replaced by another.
//!
//! The input is a `Content-Type` and a form, the first a line, the second the rest.

use crate::somewhere;
use kthena_core::form::{Boundary, FormError, FormModel, FormScanner};
use kthena_core::openai::Rewrite;

/// Feeds the bytes.
///
/// # Panics
/// When something that must hold does not.
pub fn run(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
    let (content_type, form) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let Some(Ok(boundary)) = Boundary::of(content_type) else { return };
    let whole = scan(&boundary, [form]);
    assert_eq!(scan(&boundary, form.chunks(1)), whole);
    let (first, rest) = form.split_at(somewhere(form));
    assert_eq!(scan(&boundary, [first, rest]), whole);

    let Ok(Some(FormModel { name, span })) = whole else { return };
    assert_eq!(&form[span.range()], name.as_bytes());
    let rewrite = Rewrite::field(span, "new");
    let (prefix, rest) = form.split_at(rewrite.prefix_len());
    let edited = [&rewrite.apply(prefix), rest].concat();
    let again = scan(&boundary, [&edited[..]]).expect("an edited form is still a form");
    assert_eq!(again.map(|model| model.name).as_deref(), Some("new"));
}

fn scan<'b>(boundary: &Boundary, chunks: impl IntoIterator<Item = &'b [u8]>) -> Result<Option<FormModel>, FormError> {
    let mut scanner = FormScanner::new(boundary.clone());
    for chunk in chunks {
        scanner.feed(chunk)?;
    }
    scanner.finish()
}
