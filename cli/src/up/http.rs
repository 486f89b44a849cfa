//! The few plain HTTP calls of a run: is Envoy ready, how busy is a simulator.

use std::net::SocketAddr;
use std::time::Duration;
use ureq::Agent;

/// Nobody answers these calls slowly unless something is wrong.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Calls things on this machine.
#[derive(Debug, Clone)]
pub struct Http(Agent);

// === impl Http ===

impl Http {
    /// A client that no proxy comes between.
    pub fn new() -> Self {
        // A connection kept alive would hold Envoy's listener open while it drains.
        let config = Agent::config_builder().proxy(None).timeout_global(Some(TIMEOUT)).max_idle_connections(0);
        Self(config.build().new_agent())
    }

    /// The text at a path.
    ///
    /// # Errors
    /// No answer, or a status other than success: what a person is told.
    pub fn get(&self, address: SocketAddr, path: &str) -> Result<String, String> {
        let answer = self.0.get(format!("http://{address}{path}")).call();
        answer.and_then(|mut answer| answer.body_mut().read_to_string()).map_err(|error| error.to_string())
    }
}
