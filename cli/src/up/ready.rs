//! Waits until requests are served.

use super::event::Event;
use super::http::Http;
use serde_json::Value;
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

/// Envoy's listeners among the types of its configuration.
const LISTENER: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";

/// Certificates among them.
const SECRET: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";

/// How many listeners take connections, in Envoy's statistics.
const TOTAL: &str = "listener_manager.total_listeners_active";

/// What must be there before a run is ready.
#[derive(Debug)]
pub struct Awaited {
    /// The router's sockets: Envoy would wait half a second before it tried again.
    pub sockets: Vec<PathBuf>,
    /// Simulated engines.
    pub engines: Vec<SocketAddr>,
    /// Envoy, as it is reached from this machine.
    pub envoy: SocketAddr,
    /// Whether clients speak TLS to it.
    pub tls: bool,
    /// The router's debug pages, as they are reached from this machine.
    pub debug: SocketAddr,
    /// Envoy's admin pages, as they are reached from this machine.
    pub admin: SocketAddr,
}

/// Why something is not there.
#[derive(Debug)]
enum Lack {
    /// It may come.
    Yet(String),
    /// It will not.
    Ever(String),
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
            Err(Lack::Yet(reason)) => Event::NotReady(format!("not ready within {} s: {reason}", PATIENCE.as_secs())),
            Err(Lack::Ever(reason)) => Event::NotReady(reason),
        };
        // Nobody listens any more when the run is over.
        let _ = events.send(event);
    }

    fn router(&self) -> Result<(), Lack> {
        let refused = |path: &&PathBuf| UnixStream::connect(path).is_err();
        match self.sockets.iter().find(refused) {
            None => Ok(()),
            Some(path) => Err(Lack::Yet(format!("the router does not listen on {}", path.display()))),
        }
    }

    fn engines(&self) -> Result<(), Lack> {
        let refused = |address: &&SocketAddr| TcpStream::connect(address).is_err();
        match self.engines.iter().find(refused) {
            None => Ok(()),
            Some(address) => Err(Lack::Yet(format!("the simulated engine at {address} does not listen"))),
        }
    }

    /// Whether our Envoy listens, and only then whether there is an answer: it might be another's.
    fn envoy(&self) -> Result<(), Lack> {
        let Self { envoy, tls, debug, admin, .. } = self;
        let http = Http::new();
        let yet = |what: &str, error: String| Lack::Yet(format!("{what}: {error}"));
        let status = http.get(*debug, "/debug/xds").map_err(|error| yet("the router's /debug/xds", error))?;
        let stats = http.get(*admin, "/stats?filter=listener_manager").map_err(|error| yet("Envoy's /stats", error))?;
        let cannot = |why| Lack::Ever(format!("{envoy}: Envoy cannot listen: {why}; choose another with --listen"));
        refusal(&status, LISTENER).map_or(Ok(()), |why| Err(cannot(why)))?;
        if let Some(why) = refusal(&status, SECRET) {
            return Err(Lack::Ever(format!("--tls-cert, --tls-key: Envoy cannot take them: {why}")));
        }
        // Of two that bound an address at the same time, one finds out too late to refuse its configuration.
        match (stat(&stats, "listener_manager.listener_create_failure"), stat(&stats, TOTAL)) {
            (1.., _) => return Err(cannot("another process listens there".to_owned())),
            (0, 0) => return Err(Lack::Yet(format!("Envoy does not listen on {envoy}"))),
            (0, 1..) => {}
        }
        if *tls {
            // Whose certificate it is, and whether it is one for this address, is the clients' to say. The listener
            // opens with its certificate, and the router's sockets were there before Envoy was.
            return http.get(*admin, "/ready").map(drop).map_err(|error| yet("Envoy's /ready", error));
        }
        http.get(*envoy, "/readyz").map(drop).map_err(|error| yet(&format!("Envoy at http://{envoy}/readyz"), error))
    }
}

/// Envoy's words about a type of its configuration, if it refused that, in one line: from the router's `/debug/xds`.
fn refusal(status: &str, url: &str) -> Option<String> {
    let status: Value = serde_json::from_str(status).ok()?;
    let words = status.get(url)?.get("refused")?.as_str()?;
    Some(words.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// One of Envoy's `/stats` (`name: value` a line); 0 before Envoy counts it.
fn stat(stats: &str, name: &str) -> u64 {
    let mut lines = stats.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(known, _)| *known == name).and_then(|(_, value)| value.trim().parse().ok()).unwrap_or(0)
}

/// Tries until it succeeds, cannot succeed, or the time is over; then the last reason.
fn poll(deadline: Instant, mut attempt: impl FnMut() -> Result<(), Lack>) -> Result<(), Lack> {
    loop {
        match attempt() {
            Err(Lack::Yet(_)) if Instant::now() < deadline => thread::sleep(PAUSE),
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envoy_s_refusal_of_the_listener_is_one_line() {
        let refused =
            |words: Value| refusal(&serde_json::json!({ LISTENER: { "refused": words } }).to_string(), LISTENER);
        assert_eq!(refused("cannot bind:\nin use\n".into()).as_deref(), Some("cannot bind: in use"));
        assert_eq!(refused(Value::Null), None);
        assert_eq!(refusal("{}", LISTENER), None);
    }

    #[test]
    fn a_stat_is_found_by_its_whole_name() {
        let stats = "listener_manager.total_listeners_active_x: 7\nlistener_manager.total_listeners_active: 1\n";
        assert_eq!(stat(stats, TOTAL), 1);
        assert_eq!(stat("", TOTAL), 0);
    }
}
