//! What is served: from manifests, or from what engines said.

use super::event::Event;
use kthena_router::source::endpoints::{recall, snapshot, state_file};
use kthena_router::source::{Directory, Snapshot};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

/// How often to look whether an engine has told its models.
const PAUSE: Duration = Duration::from_millis(250);

/// The objects, and how they came to be.
#[derive(Debug)]
pub struct Served {
    /// The objects.
    pub snapshot: Snapshot,
    /// What each engine said, a line each, where there are no manifests.
    pub engines: Option<Vec<String>>,
}

// === impl Served ===

impl Served {
    /// What the manifests hold.
    ///
    /// # Errors
    /// A path is not there any more.
    pub fn by_manifests(paths: &[PathBuf]) -> anyhow::Result<Self> {
        Ok(Self { snapshot: Directory::open(paths)?.load(), engines: None })
    }

    /// What the router with this run directory kept of the engines' answers.
    pub fn by_engines(run_dir: &Path) -> Self {
        let states = recall(&state_file(run_dir));
        Self { snapshot: snapshot(&states), engines: Some(states.iter().map(ToString::to_string).collect()) }
    }
}

/// Sends [`Event::EngineFound`] once an engine has told its models; waits for it on a thread, for as long as it takes.
///
/// # Errors
/// No thread can be had.
pub fn await_engine(run_dir: &Path, events: Sender<Event>) -> anyhow::Result<()> {
    let run_dir = run_dir.to_owned();
    let wait = move || {
        while Served::by_engines(&run_dir).snapshot.resources.model_routes.is_empty() {
            thread::sleep(PAUSE);
        }
        // Nobody listens any more when the run is over.
        let _ = events.send(Event::EngineFound);
    };
    thread::Builder::new().name("engines".to_owned()).spawn(wait)?;
    Ok(())
}
