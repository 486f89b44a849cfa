//! One process of a child.

use super::Name;
use super::output::{batches, lines};
use crate::up::event::Event;
use crate::up::say::{print, say};
use rustix::io::retry_on_intr;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::ffi::OsString;
use std::io::{BufReader, PipeReader, pipe};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

/// This program again, even where a build has replaced its file meanwhile.
const OURSELVES: &str = "/proc/self/exe";

/// How long the output of a process that has ended is waited for.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// A process that has not been reaped.
#[derive(Debug)]
pub struct Process {
    /// Tells it from all others of this run.
    pub serial: u64,
    /// When it was started.
    pub started: Instant,
    child: Child,
    last_line: Arc<Mutex<String>>,
}

/// How a process ended.
#[derive(Debug, PartialEq, Eq)]
pub struct End {
    /// `exit code 1` or `signal 9`.
    pub how: String,
    /// The last line that it wrote.
    pub last_words: String,
}

// === impl Process ===

impl Process {
    /// Starts a process in a group of its own, so that a Ctrl-C reaches us alone. Its end is sent to `events`.
    ///
    /// # Errors
    /// No process or no thread can be had.
    pub fn spawn(
        name: &Name,
        arguments: &[OsString],
        serial: u64,
        events: Sender<Event>,
        now: Instant,
    ) -> io::Result<Self> {
        let (output, ours) = pipe()?;
        let (plain, stdout) = match name.speaks_plainly() {
            true => pipe().map(|(plain, stdout)| (Some(plain), stdout))?,
            false => (None, ours.try_clone()?),
        };
        let parent = std::process::id().to_string();
        let child = Command::new(OURSELVES)
            .arg0("kthena")
            .args(["child", "--parent", &parent, name.role()])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(ours)
            .process_group(0)
            .spawn()?;
        say(&format!("child {name} pid {}", child.id()));
        let last_line = Arc::default();
        let process = Self { serial, started: now, child, last_line };
        match process.follow(name.prefix(), output, plain, events) {
            Ok(()) => Ok(process),
            Err(error) => {
                process.signal(Signal::KILL);
                process.reap();
                Err(error)
            }
        }
    }

    /// Copies its output on one thread and waits for its end on another, since something that it started may hold
    /// the output open; does not reap it, so that its number stays its own until [`Process::reap`].
    fn follow(
        &self,
        prefix: String,
        output: PipeReader,
        plain: Option<PipeReader>,
        events: Sender<Event>,
    ) -> io::Result<()> {
        let (serial, pid, last_line) = (self.serial, self.pid(), Arc::clone(&self.last_line));
        let (copied, all_copied) = channel::<()>();
        if let Some(plain) = plain {
            let copied = copied.clone();
            thread::Builder::new().name(format!("log {serial}")).spawn(move || {
                let _ = batches(BufReader::new(plain), print);
                drop(copied);
            })?;
        }
        thread::Builder::new().name(format!("output {serial}")).spawn(move || {
            let _ = lines(BufReader::new(output), |line| {
                say(&format!("{prefix} {line}"));
                line.clone_into(&mut last_line.lock().unwrap_or_else(PoisonError::into_inner));
            });
            drop(copied);
        })?;
        thread::Builder::new().name(format!("child {serial}")).spawn(move || {
            let until_it_ends = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            if let Some(pid) = pid {
                let _ = retry_on_intr(|| waitid(WaitId::Pid(pid), until_it_ends));
            }
            // Its last words come first, if they come.
            let _ = all_copied.recv_timeout(LAST_WORDS);
            let _ = events.send(Event::Ended(serial));
        })?;
        Ok(())
    }

    /// Sends a signal to it and to whatever it started.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid() {
            // It may have ended; being unreaped, nobody else has its number.
            let _ = kill_process_group(pid, signal);
        }
    }

    /// Takes its end; waits if it has not ended.
    pub fn reap(mut self) -> End {
        let how = match self.child.wait() {
            Ok(status) => how(status),
            Err(error) => error.to_string(),
        };
        let last_words = self.last_line.lock().unwrap_or_else(PoisonError::into_inner).clone();
        End { how, last_words }
    }

    fn pid(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }
}

fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}
