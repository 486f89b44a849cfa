//! What a program writes, line by line, while it runs.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

/// The lines so far; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Output(Arc<Mutex<Vec<String>>>);

// === impl Output ===

impl Output {
    /// Reads a pipe on a thread of its own, which ends with the pipe.
    pub fn follow(&self, pipe: impl Read + Send + 'static) -> JoinHandle<()> {
        let lines = self.clone();
        thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                lines.lock().push(String::from_utf8_lossy(&line).into_owned());
            }
        })
    }

    /// How many lines there are: where to look from for what comes next.
    pub fn mark(&self) -> usize {
        self.lock().len()
    }

    /// The first line from `mark` on that is wanted.
    pub fn find(&self, mark: usize, wanted: impl Fn(&str) -> bool) -> Option<String> {
        self.lock().iter().skip(mark).find(|line| wanted(line)).cloned()
    }

    /// All lines.
    pub fn lines(&self) -> Vec<String> {
        self.lock().clone()
    }

    /// All of it.
    pub fn text(&self) -> String {
        self.lock().join("\n")
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().expect("nothing panics while it is held")
    }
}
