//! The parameters behind a header's value: `; name="model"; filename="a.wav"`.

/// The name of the field that a part's headers announce; `None` unless there is exactly one `Content-Disposition` of a
/// form's with exactly one `name`.
pub(super) fn field(headers: &[u8]) -> Option<&[u8]> {
    let mut found = None;
    for line in lines(headers) {
        // A folded line would belong to the one before, to parsers that know them.
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            return None;
        }
        // A line that ends with `\n` alone is one to some, and part of a longer one to others.
        if line.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
            return None;
        }
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at_checked(colon)?;
        if name.eq_ignore_ascii_case(b"content-disposition") && found.replace(value.get(1..)?).is_some() {
            return None;
        }
    }
    let value = found?.trim_ascii();
    let end = value.iter().position(|byte| *byte == b';')?;
    let (kind, rest) = value.split_at_checked(end)?;
    if !kind.trim_ascii().eq_ignore_ascii_case(b"form-data") {
        return None;
    }
    let mut field = None;
    for (name, value) in parameters(rest)? {
        let is_name = name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"name"));
        // `name*` and `name*0` are other notations of the same.
        if is_name && (name.len() > 4 && name.get(4) == Some(&b'*')) {
            return None;
        }
        // Parsers differ in whether a backslash before a letter stays.
        if is_name && name.len() == 4 && (value.contains(&b'\\') || field.replace(value).is_some()) {
            return None;
        }
    }
    field
}

/// Lines that each end with `\r\n`.
fn lines(headers: &[u8]) -> impl Iterator<Item = &[u8]> {
    headers.split_inclusive(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r\n").unwrap_or(line))
}

/// Names and values of `; name=value; other="quoted \" value"`; `None` where it is not well formed. Values are as they
/// are written, their quotes taken off.
pub(super) fn parameters(mut rest: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut parameters = Vec::new();
    loop {
        rest = rest.trim_ascii();
        if rest.is_empty() {
            return Some(parameters);
        }
        rest = rest.strip_prefix(b";")?.trim_ascii_start();
        if rest.is_empty() {
            return Some(parameters);
        }
        let equals = rest.iter().position(|byte| matches!(byte, b'=' | b';' | b'"'))?;
        let (name, after) = rest.split_at_checked(equals)?;
        let after = after.strip_prefix(b"=")?.trim_ascii_start();
        let (value, after) = match after.strip_prefix(b"\"") {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let end = after.iter().position(|byte| *byte == b';').unwrap_or(after.len());
                let (value, after) = after.split_at_checked(end)?;
                (value.trim_ascii_end(), after)
            }
        };
        parameters.push((name.trim_ascii(), value));
        rest = after;
    }
}

/// The text up to the quote that ends it, which no backslash stands before, and what follows that quote.
fn unquoted(quoted: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut bytes = quoted.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return Some((quoted.get(..at)?, quoted.get(at + 1..)?)),
            b'\\' => _ = bytes.next()?,
            _ => {}
        }
    }
    None
}
