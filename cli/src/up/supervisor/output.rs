//! A child's output, line by line.

use std::io::{self, BufRead, Read};

/// Longer lines are cut into several.
const LONGEST: u64 = 16 * 1024;

/// Hands on every line that is not empty until the other end is closed.
///
/// # Errors
/// It cannot be read.
pub fn lines(mut from: impl BufRead, mut each: impl FnMut(&str)) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if from.by_ref().take(LONGEST).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if !text.is_empty() {
            each(text);
        }
    }
}

/// Hands on whole lines, as many at once as there are; one that is too long in pieces.
///
/// # Errors
/// It cannot be read.
pub fn batches(mut from: impl BufRead, mut each: impl FnMut(String)) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        let read = from.fill_buf()?;
        if read.is_empty() {
            if !line.is_empty() {
                line.push(b'\n');
                each(String::from_utf8_lossy(&line).into_owned());
            }
            return Ok(());
        }
        let (count, whole) = (read.len(), read.iter().rposition(|byte| *byte == b'\n').map(|end| end + 1));
        let (lines, rest) = read.split_at(whole.unwrap_or_default());
        if !lines.is_empty() {
            line.extend_from_slice(lines);
            each(String::from_utf8_lossy(&line).into_owned());
            line.clear();
        }
        line.extend_from_slice(rest);
        if line.len() as u64 > LONGEST {
            line.push(b'\n');
            each(String::from_utf8_lossy(&line).into_owned());
            line.clear();
        }
        from.consume(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    #[test]
    fn batches_are_whole_lines() {
        let output = b"one\ntwo\nthree\nfour and more\nno end";
        for size in 1..output.len() {
            let mut seen = Vec::new();
            batches(BufReader::with_capacity(size, &output[..]), |batch| seen.push(batch)).unwrap();
            assert!(seen.iter().all(|batch| batch.ends_with('\n')), "{seen:?}");
            assert_eq!(seen.concat().as_bytes(), [&output[..], b"\n"].concat());
        }
    }

    #[test]
    fn every_line_is_handed_on_and_a_long_one_in_pieces() {
        let long = "x".repeat(LONGEST as usize + 1);
        let output = format!("one\n\ntwo\r\n{long}\nno end");
        let mut seen = Vec::new();
        lines(output.as_bytes(), |line| seen.push(line.to_owned())).unwrap();
        assert_eq!(seen, ["one", "two", &long[1..], "x", "no end"]);
    }

    #[test]
    fn what_is_no_text_does_not_end_the_output() {
        let mut seen = Vec::new();
        lines(&b"\xff\nnext\n"[..], |line| seen.push(line.to_owned())).unwrap();
        assert_eq!(seen, ["\u{fffd}", "next"]);
    }
}
