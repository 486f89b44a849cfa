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

#[cfg(test)]
mod tests {
    use super::*;

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
