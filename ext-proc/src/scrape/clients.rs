//! One client for all engines that are spoken to alike: they share its pool.

use super::fetch::Fetcher;
use kthena_core::engine::Transport;
use std::collections::HashMap;

/// The clients that are in use.
#[derive(Debug, Default)]
pub(super) struct Clients(HashMap<Transport, Fetcher>);

// === impl Clients ===

impl Clients {
    /// The client for engines that are spoken to so.
    pub(super) fn of(&mut self, transport: &Transport) -> Fetcher {
        self.0.entry(transport.clone()).or_insert_with(|| Fetcher::new(transport)).clone()
    }

    /// Lets go of those that no engine needs.
    pub(super) fn keep<'a>(&mut self, used: impl Iterator<Item = &'a Transport> + Clone) {
        self.0.retain(|transport, _| used.clone().any(|used| used == transport));
    }
}
