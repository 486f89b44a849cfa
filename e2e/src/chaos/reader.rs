//! Whether an answer is whole: pure.
//!
//! The client knows how many tokens it asked for, and simulated engines give exactly as many. Nothing is parsed that
//! need not be: what reads ten thousand events a second shares its processors with what it tests.

use memchr::{memchr, memmem};

/// Reads an answer as it comes.
#[derive(Debug)]
pub struct Reader {
    streamed: bool,
    asked: u32,
    /// A line that is not over; of an answer in one piece, all of it.
    rest: Vec<u8>,
    tokens: u32,
    finished: bool,
    done: bool,
    error: bool,
}

/// What an answer that ended without a break turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Everything that was asked for.
    Whole,
    /// It says that it failed.
    Error,
    /// Less or more than was asked for, and no word of it.
    Wrong,
}

/// No line of an answer here is as long.
const LONGEST: usize = 64 * 1024;

// === impl Reader ===

impl Reader {
    /// Of a stream of that many tokens.
    pub fn of_stream(tokens: u32) -> Self {
        Self { streamed: true, asked: tokens, rest: Vec::new(), tokens: 0, finished: false, done: false, error: false }
    }

    /// Of an answer in one piece, of that many tokens.
    pub fn of_whole(tokens: u32) -> Self {
        Self { streamed: false, ..Self::of_stream(tokens) }
    }

    /// Takes the next bytes.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while self.streamed
            && let Some(end) = memchr(b'\n', bytes)
        {
            let (line, rest) = bytes.split_at(end);
            bytes = rest.get(1..).unwrap_or_default();
            if self.rest.is_empty() {
                self.line(line);
            } else {
                let mut whole = std::mem::take(&mut self.rest);
                whole.extend_from_slice(line);
                self.line(&whole);
                whole.clear();
                self.rest = whole;
            }
        }
        if self.rest.len() < LONGEST {
            self.rest.extend_from_slice(bytes);
        }
    }

    /// Whether a token has come; of an answer in one piece, any byte.
    pub fn has_begun(&self) -> bool {
        self.tokens > 0 || !self.streamed && !self.rest.is_empty()
    }

    /// What it was, now that it has ended without a break.
    pub fn end(&self) -> End {
        if !self.streamed {
            return self.end_of_whole();
        }
        match (self.error, self.finished && self.done && self.rest.is_empty() && self.tokens == self.asked) {
            (true, _) => End::Error,
            (false, true) => End::Whole,
            (false, false) => End::Wrong,
        }
    }

    fn line(&mut self, line: &[u8]) {
        let Some(data) = line.strip_prefix(b"data: ") else { return };
        // A token after the end would be one too many.
        if data.starts_with(b"[DONE]") {
            self.done = true;
        } else if data.starts_with(b"{\"error\"") {
            self.error = true;
        } else if memmem::find(data, b"\"delta\":{\"content\":\"").is_some() {
            self.tokens = self.tokens.saturating_add(if self.done { 2 } else { 1 });
            self.finished |= memmem::find(data, b"\"finish_reason\":\"").is_some();
        }
    }

    fn end_of_whole(&self) -> End {
        let has = |text: &[u8]| memmem::find(&self.rest, text).is_some();
        let tokens = format!("\"completion_tokens\":{},", self.asked);
        let tokens_last = format!("\"completion_tokens\":{}}}", self.asked);
        let counted = has(tokens.as_bytes()) || has(tokens_last.as_bytes());
        match (self.rest.starts_with(b"{\"error\""), counted && self.rest.ends_with(b"}")) {
            (true, _) => End::Error,
            (false, true) => End::Whole,
            (false, false) => End::Wrong,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(last: bool) -> String {
        let finish = if last { "\"length\"" } else { "null" };
        format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\" a\"}},\"finish_reason\":{finish}}}]}}\n\n")
    }

    fn stream() -> String {
        let role = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
        [role, &token(false), &token(true), "data: [DONE]\n\n"].concat()
    }

    fn read(text: &str, by: usize) -> End {
        let mut reader = Reader::of_stream(2);
        text.as_bytes().chunks(by).for_each(|bytes| reader.feed(bytes));
        reader.end()
    }

    #[test]
    fn a_stream_is_whole_however_it_is_cut_into_pieces() {
        for by in 1..200 {
            assert_eq!(read(&stream(), by), End::Whole, "by {by}");
        }
    }

    #[test]
    fn a_stream_that_lacks_anything_is_wrong() {
        for cut in 1..stream().len() - 1 {
            assert_eq!(read(&stream()[..stream().len() - 1 - cut], 7), End::Wrong, "{cut} bytes are missing");
        }
        let done = "data: [DONE]\n\n";
        for text in [
            [&token(true), done].concat(),
            [&token(false), &token(false), done].concat(),
            [&token(false), &token(false), &token(true), done].concat(),
            [&token(false), done, &token(true)].concat(),
        ] {
            assert_eq!(read(&text, 50), End::Wrong, "{text}");
        }
    }

    #[test]
    fn a_stream_that_says_that_it_failed_is_no_loss() {
        let text = [&token(false), "data: {\"error\":{\"message\":\"dead\"}}\n\n", "data: [DONE]\n\n"].concat();
        assert_eq!(read(&text, 9), End::Error);
    }

    #[test]
    fn the_first_token_is_the_first_that_counts() {
        let mut reader = Reader::of_stream(2);
        let text = stream();
        let role = text.find("\n\n").unwrap() + 2;
        reader.feed(&text.as_bytes()[..role]);
        assert!(!reader.has_begun());
        reader.feed(&text.as_bytes()[role..]);
        assert!(reader.has_begun());
    }

    #[test]
    fn an_answer_in_one_piece_is_whole_with_as_many_tokens_as_asked() {
        for (text, end) in [
            ("{\"usage\":{\"completion_tokens\":8,\"total_tokens\":9}}", End::Whole),
            ("{\"usage\":{\"total_tokens\":9,\"completion_tokens\":8}}", End::Whole),
            ("{\"usage\":{\"completion_tokens\":7,\"total_tokens\":8}}", End::Wrong),
            ("{\"usage\":{\"completion_tokens\":8,\"total_to", End::Wrong),
            ("{\"error\":{\"message\":\"no\"}}", End::Error),
            ("", End::Wrong),
        ] {
            let mut reader = Reader::of_whole(8);
            reader.feed(text.as_bytes());
            assert_eq!(reader.end(), end, "{text}");
        }
    }
}
