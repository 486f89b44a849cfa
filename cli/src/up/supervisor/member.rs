//! One child, over all its processes.

use super::backoff::Backoff;
use super::process::Process;
use super::{Name, PATIENCE};
use rustix::process::Signal;
use std::ffi::OsString;
use std::time::Instant;

/// What a child is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// Run, for ever.
    Run,
    /// End, to be started again at once with other arguments.
    Replace,
    /// Run until then.
    Retire(Instant),
    /// End.
    End,
}

/// A child, whether or not it has a process now.
#[derive(Debug)]
pub struct Member {
    /// What it is called.
    pub name: Name,
    /// What its role is started with.
    pub arguments: Vec<OsString>,
    /// What it is to do.
    pub aim: Aim,
    /// Its process, if it has one.
    pub process: Option<Process>,
    /// When to start the next one.
    pub start_at: Option<Instant>,
    /// When to end its process if it has not ended by itself.
    pub kill_at: Option<Instant>,
    /// The pause before the next start.
    pub backoff: Backoff,
    /// How often it died before everything was ready once.
    pub early_deaths: u32,
}

// === impl Member ===

impl Member {
    /// One that has nothing to do yet.
    pub fn new(name: Name) -> Self {
        Self {
            name,
            arguments: Vec::new(),
            aim: Aim::Run,
            process: None,
            start_at: None,
            kill_at: None,
            backoff: Backoff::default(),
            early_deaths: 0,
        }
    }

    /// Asks its process to end.
    pub fn terminate(&mut self, now: Instant) {
        if let Some(process) = &self.process {
            process.signal(Signal::TERM);
            self.kill_at = Some(now + PATIENCE);
        }
    }

    /// When something is due next.
    pub fn next(&self) -> Option<Instant> {
        let retire_at = match self.aim {
            Aim::Retire(at) => Some(at),
            Aim::Run | Aim::Replace | Aim::End => None,
        };
        [retire_at, self.start_at, self.kill_at].into_iter().flatten().min()
    }
}
