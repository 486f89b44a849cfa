//! The children: started, started again when they die, ended.
//!
//! A child dies with the *thread* that started it, so all of this happens on one thread that lives to the
//! end, and other threads only send it events. Time is an argument, so nothing here waits.

mod backoff;
mod member;
mod name;
mod output;
mod process;

pub use name::Name;

use super::event::Event;
use super::say::say;
use anyhow::bail;
use member::{Aim, Member};
use name::Seat;
use process::Process;
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

/// How long a child may take to end when asked to.
const PATIENCE: Duration = Duration::from_secs(5);

/// Deaths before everything was ready once, after which a child is taken to be unable to start.
const EARLY_DEATHS: u32 = 3;

/// The children of a run.
#[derive(Debug)]
pub struct Supervisor {
    /// By what only one of them can have: who takes over an address waits until it is left.
    members: BTreeMap<Seat, Member>,
    events: Sender<Event>,
    started: u64,
    settled: bool,
}

// === impl Supervisor ===

impl Supervisor {
    /// No children yet; their ends are sent to `events`.
    pub fn new(events: Sender<Event>) -> Self {
        Self { members: BTreeMap::new(), events, started: 0, settled: false }
    }

    /// From now on a child that dies is started again for ever.
    pub fn settle(&mut self) {
        self.settled = true;
    }

    /// Whether no child is left.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether there is such a child, running or about to.
    pub fn has(&self, name: &Name) -> bool {
        self.members.contains_key(&name.seat())
    }

    /// Whether that child has a process.
    pub fn is_running(&self, name: &Name) -> bool {
        self.members.get(&name.seat()).is_some_and(|member| member.process.is_some())
    }

    /// Keeps a child running with these arguments; one that runs with others, or in its place, ends first.
    pub fn run(&mut self, name: Name, arguments: Vec<OsString>, now: Instant) {
        let member = self.members.entry(name.seat()).or_insert_with(|| Member::new(name.clone()));
        member.name = name;
        let same = member.arguments == arguments;
        member.arguments = arguments;
        match (&member.process, member.aim) {
            (Some(_), Aim::Run | Aim::Retire(_)) if same => member.aim = Aim::Run,
            (Some(_), _) => {
                member.aim = Aim::Replace;
                member.terminate(now);
            }
            (None, _) => {
                member.aim = Aim::Run;
                member.start_at = Some(now);
            }
        }
        self.act(now);
    }

    /// Ends a child at that time, unless another has taken its place.
    pub fn retire(&mut self, name: &Name, at: Instant) {
        if let Some(member) = self.members.get_mut(&name.seat())
            && member.name == *name
        {
            member.aim = Aim::Retire(at);
        }
    }

    /// Ends a child now if it is to end anyway.
    pub fn release(&mut self, name: &Name, now: Instant) {
        let member = self.members.get(&name.seat());
        if member.is_some_and(|member| member.name == *name && matches!(member.aim, Aim::Retire(_))) {
            self.stop(name, now);
        }
    }

    /// Ends one child now.
    pub fn stop(&mut self, name: &Name, now: Instant) {
        self.retire(name, now);
        self.act(now);
    }

    /// Ends all children now.
    pub fn stop_all(&mut self, now: Instant) {
        for member in self.members.values_mut() {
            // Whoever was asked already keeps the time it was given.
            if !matches!(member.aim, Aim::End) {
                member.aim = Aim::Retire(now);
            }
        }
        self.act(now);
    }

    /// Ends all children without asking them.
    pub fn kill_all(&mut self, now: Instant) {
        self.stop_all(now);
        for process in self.members.values().filter_map(|member| member.process.as_ref()) {
            process.signal(Signal::KILL);
        }
    }

    /// When [`Supervisor::act`] has something to do next.
    pub fn next(&self) -> Option<Instant> {
        self.members.values().filter_map(Member::next).min()
    }

    /// Does what is due.
    pub fn act(&mut self, now: Instant) {
        self.members.retain(|_, member| {
            if let Aim::Retire(at) = member.aim
                && at <= now
            {
                member.aim = Aim::End;
                member.start_at = None;
                member.terminate(now);
            }
            if member.kill_at.is_some_and(|at| at <= now)
                && let Some(process) = &member.process
            {
                process.signal(Signal::KILL);
                member.kill_at = None;
            }
            if member.start_at.is_some_and(|at| at <= now) {
                member.start_at = None;
                self.started += 1;
                let name = &member.name;
                match Process::spawn(name, &member.arguments, self.started, self.events.clone(), now) {
                    Ok(process) => member.process = Some(process),
                    Err(error) => {
                        say(&format!("{name} cannot be started: {error}"));
                        member.start_at = Some(now + member.backoff.after(Duration::ZERO));
                    }
                }
            }
            member.process.is_some() || !matches!(member.aim, Aim::End)
        });
    }

    /// Takes the end of a process; what shall run runs again.
    ///
    /// # Errors
    /// The child has ended so often before anything was ready that it cannot be started; with its last words.
    pub fn ended(&mut self, serial: u64, now: Instant) -> anyhow::Result<()> {
        let mut members = self.members.values_mut();
        let found = members.find(|member| member.process.as_ref().is_some_and(|process| process.serial == serial));
        let Some(member) = found else { return Ok(()) };
        let Some(process) = member.process.take() else { return Ok(()) };
        member.kill_at = None;
        let ran = now.saturating_duration_since(process.started);
        let end = process.reap();
        let name = &member.name;
        match member.aim {
            Aim::End | Aim::Retire(_) => member.aim = Aim::End,
            Aim::Replace => {
                member.aim = Aim::Run;
                member.start_at = Some(now);
            }
            Aim::Run => {
                member.early_deaths += 1;
                if !self.settled && member.early_deaths >= EARLY_DEATHS {
                    let how = end.how;
                    let words = if end.last_words.is_empty() { "none" } else { &end.last_words };
                    bail!("{name} cannot be started, it ended {EARLY_DEATHS} times ({how}); its last words: {words}");
                }
                say(&format!("{name} ended ({}), restarting", end.how));
                member.start_at = Some(now + member.backoff.after(ran));
            }
        }
        self.act(now);
        Ok(())
    }
}
