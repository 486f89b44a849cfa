//! What is said, to standard output and standard error, by one thread that alone may have to wait.
//!
//! Where nobody reads (a pipe that is full, a terminal that is stopped) a write never returns. So whoever
//! has something to say hands it over and goes on; what does not fit is dropped, and how much is said.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How much may wait to be written.
const ROOM: usize = 1024;
/// How long the last words of a run are waited for.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often to try whether they fit.
const PAUSE: Duration = Duration::from_millis(10);

static VOICE: OnceLock<Mutex<Voice>> = OnceLock::new();

/// What the writer is handed.
#[derive(Debug)]
enum Said {
    /// Text for standard error.
    Error(Vec<u8>),
    /// Text for standard output.
    Output(Vec<u8>),
    /// All that was said before has been written: tell whoever waits.
    Written(SyncSender<()>),
}

/// The way to the writer.
#[derive(Debug)]
struct Voice {
    writer: SyncSender<Said>,
    dropped: u64,
}

/// Standard error for a log: a write is an entry, and is never waited for.
#[derive(Debug)]
pub struct Log;

/// One line to standard error.
pub fn say(line: &str) {
    voice().hand(Said::Error(format!("{line}\n").into_bytes()));
}

/// Text to standard output.
pub fn print(text: String) {
    voice().hand(Said::Output(text.into_bytes()));
}

/// Waits until all is written, a second at most.
pub fn finish() {
    let deadline = Instant::now() + PATIENCE;
    let (done, written) = sync_channel(1);
    while !voice().hand(Said::Written(done.clone())) {
        if Instant::now() >= deadline {
            return;
        }
        thread::sleep(PAUSE);
    }
    let _ = written.recv_timeout(deadline.saturating_duration_since(Instant::now()));
}

fn voice() -> MutexGuard<'static, Voice> {
    let voice = VOICE.get_or_init(|| {
        let (writer, said) = sync_channel(ROOM);
        // Without a thread there is nobody to say so: then all is dropped.
        let _ = thread::Builder::new().name("writer".to_owned()).spawn(move || write_all(&said));
        Mutex::new(Voice { writer, dropped: 0 })
    });
    voice.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write_all(said: &Receiver<Said>) {
    for said in said {
        // That nobody is there to read must not end a run.
        let _ = match said {
            Said::Error(text) => io::stderr().write_all(&text),
            Said::Output(text) => {
                let mut out = io::stdout().lock();
                out.write_all(&text).and_then(|()| out.flush())
            }
            Said::Written(done) => {
                let _ = done.try_send(());
                Ok(())
            }
        };
    }
}

// === impl Voice ===

impl Voice {
    /// Hands over what fits; whether it did.
    fn hand(&mut self, said: Said) -> bool {
        if self.dropped > 0 {
            let note = format!("... {} lines dropped\n", self.dropped);
            if self.writer.try_send(Said::Error(note.into_bytes())).is_ok() {
                self.dropped = 0;
            }
        }
        match self.writer.try_send(said) {
            Ok(()) => true,
            Err(TrySendError::Full(said) | TrySendError::Disconnected(said)) => {
                self.dropped += said.lines();
                false
            }
        }
    }
}

// === impl Said ===

impl Said {
    fn lines(&self) -> u64 {
        match self {
            Self::Error(text) | Self::Output(text) => text.iter().map(|byte| u64::from(*byte == b'\n')).sum(),
            Self::Written(_) => 0,
        }
    }
}

// === impl Log ===

impl Write for Log {
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        voice().hand(Said::Error(entry.to_owned()));
        Ok(entry.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(said: Said) -> String {
        let (Said::Error(text) | Said::Output(text)) = said else { panic!("no text") };
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_counted_where_it_is_missing() {
        let (writer, said) = sync_channel(2);
        let mut voice = Voice { writer, dropped: 0 };
        for line in ["1\n", "2\n", "3\n", "4\n4\n"] {
            voice.hand(Said::Error(line.as_bytes().to_owned()));
        }
        assert_eq!([(); 2].map(|()| text(said.recv().unwrap())), ["1\n", "2\n"]);
        voice.hand(Said::Error(b"5\n".to_vec()));
        assert_eq!([(); 2].map(|()| text(said.recv().unwrap())), ["... 3 lines dropped\n", "5\n"]);
        assert_eq!(voice.dropped, 0);
    }
}
