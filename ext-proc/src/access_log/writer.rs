//! Writes lines on a thread that alone may have to wait: for a disk, for whoever reads a pipe.

use super::counts::Counts;
use super::output::{Output, Sink};
use kthena_core::access_log::{Entry, json, text};
use std::fmt::Write;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// How many batches may wait. One is what a worker of Envoy hands over at once, some 64 KiB at the most.
const QUEUE: usize = 128;

/// How often it is looked whether a full queue has room again, at the end.
const ROOM: Duration = Duration::from_millis(5);

/// Losses are said at most this often.
const SAY: Duration = Duration::from_secs(10);

/// The form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// `[start] "METHOD PATH PROTOCOL" STATUS key=value ...`
    #[default]
    Text,
    /// An object a line.
    Json,
}

/// The way to the thread that writes.
#[derive(Debug)]
pub struct Writer {
    format: Format,
    queue: SyncSender<Job>,
    counts: Arc<Counts>,
}

#[derive(Debug)]
enum Job {
    Lines { text: String, lines: u64 },
    Finish(SyncSender<()>),
}

// === impl Writer ===

impl Writer {
    /// Starts the thread; what it cannot write is added to `counts`.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn start(format: Format, output: Output, counts: Arc<Counts>) -> io::Result<Self> {
        let (queue, jobs) = sync_channel(QUEUE);
        let of_thread = Arc::clone(&counts);
        thread::Builder::new().name("access log".to_owned()).spawn(move || write_all(&jobs, output, &of_thread))?;
        Ok(Self { format, queue, counts })
    }

    /// Hands over a line for each entry; without waiting, so they may be lost.
    pub(super) fn write(&self, entries: &[Entry]) {
        if entries.is_empty() {
            return;
        }
        let mut lines = String::with_capacity(entries.len() * 512);
        for entry in entries {
            // Writing to a String does not fail.
            let _ = match self.format {
                Format::Text => writeln!(lines, "{}", text(entry)),
                Format::Json => writeln!(lines, "{}", json(entry)),
            };
        }
        let job = Job::Lines { text: lines, lines: entries.len() as u64 };
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = self.queue.try_send(job) {
            self.counts.lost(entries.len() as u64);
        }
    }

    /// Waits until everything that was handed over is written, `patience` at the most.
    pub(super) fn finish(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let (done, written) = sync_channel(1);
        let mut job = Job::Finish(done);
        // A full queue is no reason to lose it: the standard channel cannot wait for room with a limit.
        loop {
            match self.queue.try_send(job) {
                Ok(()) => break,
                Err(TrySendError::Full(back)) if Instant::now() < until => job = back,
                Err(_) => return,
            }
            thread::sleep(ROOM);
        }
        let _ = written.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
}

fn write_all(jobs: &Receiver<Job>, output: Output, counts: &Counts) {
    let mut sink = Sink::new(output.clone());
    let mut last_said: Option<Instant> = None;
    let (mut said, mut reason) = (0, None);
    for job in jobs {
        match job {
            Job::Finish(done) => drop(done.try_send(())),
            Job::Lines { text, lines } => {
                if let Err((lost, error)) = sink.write(text.as_bytes()) {
                    counts.lost(lost.min(lines));
                    reason = Some(error);
                }
            }
        }
        let lost = counts.lost_lines();
        if lost > said && last_said.is_none_or(|at| at.elapsed() >= SAY) {
            let why = reason.take().map_or_else(|| "it does not keep up".to_owned(), |error| error.to_string());
            tracing::warn!("access log {output:?}: {} lines lost: {why}", lost - said);
            (said, last_said) = (lost, Some(Instant::now()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::io::{BufRead, BufReader};

    /// Longer than any test waits; only one that fails waits it out.
    const PATIENCE: Duration = Duration::from_secs(30);

    fn entries(count: usize) -> Vec<Entry> {
        vec![Entry { model: "m".to_owned(), status: 200, ..Entry::default() }; count]
    }

    #[test]
    fn every_entry_is_a_line_of_the_format() {
        for (format, start) in [(Format::Text, "[1970-01-01T00:00:00Z] "), (Format::Json, "{\"timestamp\":\"1970")] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("log");
            let counts = Arc::new(Counts::default());
            let writer = Writer::start(format, Output::File(path.clone()), Arc::clone(&counts)).unwrap();
            writer.write(&entries(3));
            writer.write(&entries(1));
            writer.finish(PATIENCE);
            let lines = fs::read_to_string(path).unwrap();
            assert_eq!(lines.lines().filter(|line| line.starts_with(start)).count(), 4, "{lines}");
            assert_eq!((lines.lines().count(), counts.lost_lines()), (4, 0));
        }
    }

    #[test]
    fn who_does_not_read_costs_lines_that_are_counted_and_never_a_wait() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let counts = Arc::new(Counts::default());
        let writer = Writer::start(Format::Text, Output::File(path.clone()), Arc::clone(&counts)).unwrap();
        let batches = 4 * QUEUE;
        for _ in 0..batches {
            writer.write(&entries(10));
        }
        let lost = counts.lost_lines();
        assert!(lost >= 10 * (batches - QUEUE - 1) as u64, "{lost} of {}", 10 * batches);
        // Someone reads at last: what had waited arrives whole.
        let reader = BufReader::new(File::open(&path).unwrap());
        let expected = 10 * batches - usize::try_from(lost).unwrap();
        let lines: Vec<_> = reader.lines().take(expected).map(Result::unwrap).collect();
        assert!(lines.iter().all(|line| line.ends_with("timings=0ms(0+0+0)")));
    }

    #[test]
    fn the_end_waits_for_a_queue_that_is_full() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let counts = Arc::new(Counts::default());
        let writer = Writer::start(Format::Text, Output::File(path.clone()), Arc::clone(&counts)).unwrap();
        for _ in 0..4 * QUEUE {
            writer.write(&entries(1));
        }
        let expected = 4 * QUEUE - usize::try_from(counts.lost_lines()).unwrap();
        thread::scope(|scope| {
            let (finished, read) = sync_channel(1);
            let writer = &writer;
            scope.spawn(move || {
                writer.finish(PATIENCE);
                finished.send(()).unwrap();
            });
            assert!(read.try_recv().is_err(), "nobody has read yet");
            let reader = BufReader::new(File::open(&path).unwrap());
            assert_eq!(reader.lines().take(expected).map(Result::unwrap).count(), expected);
            read.recv_timeout(PATIENCE).unwrap();
        });
    }
}
