//! Asks every engine again and again: a new snapshot whenever something has changed.

use super::endpoint::Endpoint;
use super::engine::Engine;
use super::memory::{keep, recall};
use super::probe::Probe;
use super::resources::snapshot;
use super::state::{State, Trouble};
use crate::source::Snapshot;
use http::HeaderValue;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

/// Between two questions to an engine that answers. Most engines log each.
const PAUSE: Duration = Duration::from_secs(2);
/// And to one that does not.
const PAUSE_IN_TROUBLE: Duration = Duration::from_secs(1);

/// What became of asking the engine with this index.
type Heard = (usize, Result<Engine, Trouble>);

/// Asks every engine once, then goes on asking until nobody listens. `key` is the engines' API key; the states are
/// kept in `file`.
///
/// A failure of the disk is logged: all it costs is what a router that starts anew would have known.
pub async fn follow(endpoints: &[Endpoint], key: Option<HeaderValue>, file: PathBuf) -> watch::Receiver<Arc<Snapshot>> {
    let mut known = recall(&file);
    let state = |endpoint: &Endpoint| {
        let known = known.iter().position(|state| state.endpoint == *endpoint).map(|at| known.swap_remove(at));
        known.unwrap_or_else(|| State::new(endpoint.clone()))
    };
    let mut book = Book { states: endpoints.iter().map(state).collect(), file };
    let (told, mut heard) = mpsc::channel(endpoints.len().max(1));
    for (index, state) in book.states.iter().enumerate() {
        let probe = Probe::new(state.endpoint.clone(), key.clone());
        tokio::spawn(ask(index, probe, state.engine.clone(), told.clone()));
    }
    drop(told);
    let mut unheard: Vec<usize> = (0..endpoints.len()).collect();
    while !unheard.is_empty()
        && let Some((index, answer)) = heard.recv().await
    {
        unheard.retain(|waiting| *waiting != index);
        book.note(index, answer);
    }
    book.keep();
    let (sender, receiver) = watch::channel(Arc::new(snapshot(&book.states)));
    tokio::spawn(publish(book, heard, sender));
    receiver
}

async fn publish(mut book: Book, mut heard: mpsc::Receiver<Heard>, sender: watch::Sender<Arc<Snapshot>>) {
    loop {
        let (index, answer) = tokio::select! {
            heard = heard.recv() => match heard {
                Some(heard) => heard,
                None => return,
            },
            // The tasks that ask end with our receiver.
            () = sender.closed() => return,
        };
        if book.note(index, answer) {
            book.keep();
            sender.send_replace(Arc::new(snapshot(&book.states)));
        }
    }
}

async fn ask(index: usize, probe: Probe, mut known: Option<Engine>, told: mpsc::Sender<Heard>) {
    loop {
        let answer = probe.ask(known.as_ref()).await;
        let pause = match &answer {
            Ok(engine) => {
                known = Some(engine.clone());
                PAUSE
            }
            // What comes back may be another kind of engine.
            Err(_) => {
                known = None;
                PAUSE_IN_TROUBLE
            }
        };
        if told.send((index, answer)).await.is_err() {
            return;
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = told.closed() => return,
        }
    }
}

/// The states and where they are kept.
struct Book {
    states: Vec<State>,
    file: PathBuf,
}

// === impl Book ===

impl Book {
    /// Takes an answer; whether it changed anything that others see.
    fn note(&mut self, index: usize, answer: Result<Engine, Trouble>) -> bool {
        let Some(state) = self.states.get_mut(index) else { return false };
        let before = (state.engine.clone(), state.trouble.clone());
        state.observe(answer);
        let changed = before != (state.engine.clone(), state.trouble.clone());
        if changed && state.is_ready() {
            tracing::info!("{state}");
        }
        changed
    }

    fn keep(&self) {
        if let Err(error) = keep(&self.file, &self.states) {
            tracing::warn!("{}: {error}; what engines serve is not kept", self.file.display());
        }
    }
}
