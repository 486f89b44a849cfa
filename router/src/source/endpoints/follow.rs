//! Asks every engine again and again: a new snapshot whenever something has changed.

use super::engine::Engine;
use super::engine_url::EngineUrl;
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

/// Asks every engine, and goes on asking until nobody listens. `key` is the engines' API key; the states are kept in
/// `file`.
///
/// Engines of which the file says nothing are waited for, until each has answered once or failed to: only then does it
/// make sense to say that there is no such model. The others are as they were until they say otherwise.
///
/// A failure of the disk is logged: all it costs is what a router that starts anew would have known.
pub async fn follow(
    endpoints: &[EngineUrl],
    key: Option<HeaderValue>,
    file: PathBuf,
) -> watch::Receiver<Arc<Snapshot>> {
    let mut known = recall(&file);
    let mut unheard = Vec::new();
    let state = |(index, endpoint): (usize, &EngineUrl)| {
        let known = known.iter().position(|state| state.endpoint == *endpoint).map(|at| known.swap_remove(at));
        known.unwrap_or_else(|| {
            unheard.push(index);
            State::new(endpoint.clone())
        })
    };
    let mut book = Book { states: endpoints.iter().enumerate().map(state).collect(), file };
    let (told, mut heard) = mpsc::channel(endpoints.len().max(1));
    for (index, state) in book.states.iter().enumerate() {
        let probe = Probe::new(state.endpoint.clone(), key.clone(), state.engine.clone());
        tokio::spawn(ask(index, probe, told.clone()));
    }
    drop(told);
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

async fn ask(index: usize, mut probe: Probe, told: mpsc::Sender<Heard>) {
    loop {
        let answer = probe.ask().await;
        let pause = if answer.is_ok() { PAUSE } else { PAUSE_IN_TROUBLE };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::endpoints::engine::{Kind, Model};
    use crate::source::endpoints::state_file;
    use futures::FutureExt;
    use std::net::TcpListener;

    #[tokio::test]
    async fn what_is_recalled_is_served_before_anybody_answers() {
        // Takes connections and is silent.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = silent.local_addr().unwrap();
        let endpoint: EngineUrl = format!("http://{address}").parse().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let file = state_file(directory.path());
        let start = || follow(std::slice::from_ref(&endpoint), None, file.clone()).now_or_never();
        assert!(start().is_none(), "one that was never heard of is waited for");
        let mut state = State::new(endpoint.clone());
        let models = vec![Model { name: "m".to_owned(), parent: None }];
        state.observe(Ok(Engine { address, kind: Kind::Vllm, models }));
        keep(&file, &[state]).unwrap();
        let snapshots = start().expect("there at once");
        assert_eq!(snapshots.borrow().resources.pods.len(), 1);
    }
}
