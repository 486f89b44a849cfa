//! What an edit waits for: new engines that listen, old ones that have answered.

use super::Simulator;
use crate::up::http::Http;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// How often to look whether an engine listens.
const PAUSE: Duration = Duration::from_millis(20);
/// How long a new engine may take to listen; its Pod is written all the same then.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long what was on its way to an engine may take to arrive after its Pod is gone.
const ON_THE_WAY: Duration = Duration::from_secs(2);
/// How often to ask an engine whether it has something to do.
const ASK: Duration = Duration::from_millis(200);

/// Waits until all of these listen, or have taken too long.
pub fn listening(addresses: &[SocketAddr]) {
    let deadline = Instant::now() + PATIENCE;
    while addresses.iter().any(|address| TcpStream::connect(address).is_err()) && Instant::now() < deadline {
        thread::sleep(PAUSE);
    }
}

/// Waits until a simulator whose Pod is gone has nothing running, `timeout` at most.
pub fn idle(simulator: &Simulator, timeout: Duration) {
    let deadline = Instant::now() + timeout;
    let http = Http::new();
    thread::sleep(ON_THE_WAY.min(timeout));
    while !http.get(simulator.address, "/simulator/state").is_ok_and(|state| is_idle(&state)) {
        if Instant::now() >= deadline {
            return;
        }
        thread::sleep(ASK);
    }
}

/// Reads `GET /simulator/state` of the simulator.
fn is_idle(state: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(state).is_ok_and(|state| state["running"] == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulator_is_idle_only_when_it_says_that_nothing_runs() {
        assert!(is_idle(r#"{"name": "ns/p", "running": 0, "served": 3}"#));
        for busy in [r#"{"running": 1}"#, "{}", "no such page"] {
            assert!(!is_idle(busy), "{busy}");
        }
    }
}
