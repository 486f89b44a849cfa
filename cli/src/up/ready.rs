//! Waits until requests are served.

use super::event::Event;
use super::http::Http;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

/// How long a start may take: a cold machine compiles the filter while everything else starts.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often to look.
const PAUSE: Duration = Duration::from_millis(20);

/// What must be there before a run is ready.
#[derive(Debug)]
pub struct Awaited {
    /// The router's sockets: Envoy would wait half a second before it tried again.
    pub sockets: Vec<PathBuf>,
    /// Simulated engines.
    pub engines: Vec<SocketAddr>,
    /// Envoy, as it is reached from this machine.
    pub envoy: SocketAddr,
}

// === impl Awaited ===

impl Awaited {
    /// Sends [`Event::RouterListens`], then [`Event::Ready`]; or [`Event::NotReady`].
    pub fn wait(self, events: &Sender<Event>) {
        let deadline = Instant::now() + PATIENCE;
        let done = poll(deadline, || self.router())
            .map(|()| events.send(Event::RouterListens))
            .and_then(|_| poll(deadline, || self.engines()))
            .and_then(|()| poll(deadline, || self.envoy()));
        let event = match done {
            Ok(()) => Event::Ready,
            Err(reason) => Event::NotReady(format!("not ready within {} s: {reason}", PATIENCE.as_secs())),
        };
        // Nobody listens any more when the run is over.
        let _ = events.send(event);
    }

    fn router(&self) -> Result<(), String> {
        let refused = |path: &&PathBuf| UnixStream::connect(path).is_err();
        match self.sockets.iter().find(refused) {
            None => Ok(()),
            Some(path) => Err(format!("the router does not listen on {}", path.display())),
        }
    }

    fn engines(&self) -> Result<(), String> {
        let refused = |address: &&SocketAddr| TcpStream::connect(address).is_err();
        match self.engines.iter().find(refused) {
            None => Ok(()),
            Some(address) => Err(format!("the simulated engine at {address} does not listen")),
        }
    }

    fn envoy(&self) -> Result<(), String> {
        let refused = |error| format!("Envoy at http://{}/readyz: {error}", self.envoy);
        Http::new().get(self.envoy, "/readyz").map(drop).map_err(refused)
    }
}

/// Tries until it succeeds or the time is over; then the last reason.
fn poll(deadline: Instant, mut attempt: impl FnMut() -> Result<(), String>) -> Result<(), String> {
    loop {
        match attempt() {
            Err(_) if Instant::now() < deadline => thread::sleep(PAUSE),
            done => return done,
        }
    }
}
