//! Follows what is on disk: a new state whenever what is there has changed.
//!
//! The kernel's events only say *when* to look; what is there is always read anew and whole. So
//! no event has to be understood, lost ones cost a few seconds (a slow look at the files' marks
//! finds them), and an edit's many events are one look, once they have been quiet for a moment.
//!
//! Reading blocks, so all of it happens on one thread of its own, which ends when nobody listens.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use notify::Event;
use tokio::sync::watch;

use super::files::{Root, Stamp};
use super::{Directory, Snapshot};
use armed::Armed;

mod armed;

type Events = mpsc::Receiver<notify::Result<Event>>;

/// Something on disk that can be looked at again and again.
pub(super) trait Followed: Send + 'static {
    /// What a look gives.
    type State: PartialEq + Send + Sync + 'static;

    /// The paths that it is made of.
    fn roots(&self) -> &[Root];

    /// Its state by its files' marks, to be compared; reads none of them.
    fn stamps(&self) -> Vec<(PathBuf, Option<Stamp>)>;

    /// Reads it anew and whole.
    fn load(&mut self) -> Self::State;
}

/// When to look.
#[derive(Clone, Copy)]
struct Pace {
    /// How long events must be quiet before a look, where the last one ended something: a file that was written is
    /// closed, or came under its name.
    settled: Duration,
    /// And where it did not: who writes may go on.
    quiet: Duration,
    /// How long after a look the next one is.
    between: Duration,
    /// How long a look is put off while events do not end.
    longest: Duration,
    /// How often to look for changes that came without an event.
    rescan: Duration,
}

impl Pace {
    /// An editor's steps are closer together than the quiet; nobody minds the rescan's cost.
    const NORMAL: Self = Self {
        settled: Duration::from_millis(5),
        quiet: Duration::from_millis(50),
        between: Duration::from_millis(50),
        longest: Duration::from_secs(1),
        rescan: Duration::from_secs(5),
    };
}

/// Follows `directory` from now on; `first` is what its last load gave and is the channel's first
/// value. A new value is sent only when it differs.
///
/// # Errors
/// When no thread can be started. Without the kernel's notifications, changes are found late, not
/// lost, and a warning is logged.
pub fn watch(directory: Directory, first: Snapshot) -> io::Result<watch::Receiver<Arc<Snapshot>>> {
    follow("manifests", directory, first)
}

/// As [`watch`], of anything, on a thread of that name.
pub(super) fn follow<F: Followed>(
    name: &str,
    followed: F,
    first: F::State,
) -> io::Result<watch::Receiver<Arc<F::State>>> {
    follow_at(Pace::NORMAL, name, followed, first)
}

fn follow_at<F: Followed>(
    pace: Pace,
    name: &str,
    followed: F,
    first: F::State,
) -> io::Result<watch::Receiver<Arc<F::State>>> {
    let (sender, receiver) = watch::channel(Arc::new(first));
    thread::Builder::new().name(name.to_owned()).spawn(move || run(pace, followed, &sender))?;
    Ok(receiver)
}

fn run<F: Followed>(pace: Pace, mut followed: F, sender: &watch::Sender<Arc<F::State>>) {
    let (events_in, events) = mpsc::channel();
    let mut armed = Armed::new(events_in, followed.roots());
    // Watching starts before the look, and the look comes before waiting: no edit falls between.
    armed.arm();
    let mut stamps = followed.stamps();
    send(sender, followed.load());
    let mut looked = Instant::now();
    while !sender.is_closed() {
        let edited = pace.wait(&events, &mut armed, looked + pace.between);
        armed.arm();
        let now = followed.stamps();
        if edited || now != stamps {
            stamps = now;
            send(sender, followed.load());
            looked = Instant::now();
        }
    }
}

impl Pace {
    /// Waits for an edit to be over, which it is not before `earliest`, or for the next rescan. Whether there was an
    /// edit.
    fn wait(self, events: &Events, armed: &mut Armed, earliest: Instant) -> bool {
        let rescan = Instant::now() + self.rescan;
        let mut quiet = loop {
            match events.recv_timeout(rescan.saturating_duration_since(Instant::now())) {
                Ok(event) if armed.concerns(&event) => break Instant::now() + self.pause(&event),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => return false,
                Err(RecvTimeoutError::Disconnected) => {
                    // There is no watcher; the rescans go on.
                    thread::sleep(rescan.saturating_duration_since(Instant::now()));
                    return false;
                }
            }
        };
        let latest = Instant::now() + self.longest;
        loop {
            let until = quiet.max(earliest).min(latest);
            match events.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(event) => {
                    if armed.concerns(&event) {
                        quiet = Instant::now() + self.pause(&event);
                    }
                }
                Err(_) => return true,
            }
        }
    }

    fn pause(self, event: &notify::Result<Event>) -> Duration {
        if event.as_ref().is_ok_and(|event| armed::settles(event.kind)) { self.settled } else { self.quiet }
    }
}

fn send<T: PartialEq>(sender: &watch::Sender<Arc<T>>, state: T) {
    sender.send_if_modified(|current| {
        let changed = **current != state;
        if changed {
            *current = Arc::new(state);
        }
        changed
    });
}

impl Followed for Directory {
    type State = Snapshot;

    fn roots(&self) -> &[Root] {
        self.roots()
    }

    fn stamps(&self) -> Vec<(PathBuf, Option<Stamp>)> {
        self.stamps()
    }

    fn load(&mut self) -> Snapshot {
        self.load()
    }
}

#[cfg(test)]
mod tests;
