//! The end of a run: no new connections, and nobody's answer cut off.

use super::http::Http;
use super::say::say;
use kthena_router::local::ACCESS_LOG_FLUSH;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// How often to look whether requests are in flight.
const PAUSE: Duration = Duration::from_millis(50);
/// How often to say that we wait.
const REPORT: Duration = Duration::from_secs(5);

/// How long a refusal may take on this machine.
const REFUSED_WITHIN: Duration = Duration::from_millis(500);
/// Refused connections in a row after which nobody is taken to listen.
const REFUSALS: u32 = 5;

/// Drains the Envoy with this admin address; returns when no request is in flight, when `timeout` has passed, or
/// when Envoy is gone. An answer that fails or is late says nothing about the requests: it is asked for again.
pub fn drain(admin: SocketAddr, timeout: Duration) {
    let deadline = Instant::now() + timeout;
    let http = Http::new();
    // The first makes every answer say `connection: close`, but goes on listening for a while; the second
    // stops listening at once and leaves connections alone.
    for path in ["/drain_listeners?graceful&skip_exit", "/drain_listeners"] {
        if let Err(error) = insist(admin, deadline, || http.post(admin, path)) {
            return say(&format!("Envoy is not drained: {error}"));
        }
    }
    let mut report_at = Instant::now();
    loop {
        let active = match insist(admin, deadline, || http.get(admin, "/stats?filter=downstream_rq_active")) {
            Ok(stats) => in_flight(&stats),
            Err(error) => return say(&format!("Envoy's requests in flight are not known: {error}")),
        };
        let now = Instant::now();
        if active == 0 {
            // Ended now, Envoy would keep the last requests' lines to itself.
            thread::sleep(ACCESS_LOG_FLUSH + PAUSE);
            return;
        }
        if now >= deadline {
            let timeout = humantime::format_duration(timeout);
            return say(&format!("requests in flight after {timeout} (DRAIN_TIMEOUT): {active}, ending them"));
        }
        if now >= report_at {
            let left = (deadline - now).as_secs_f64().ceil();
            say(&format!("draining, requests in flight: {active}; at most {left} s more, Ctrl-C again ends them"));
            report_at = now + REPORT;
        }
        thread::sleep(PAUSE);
    }
}

/// Asks until there is an answer, the time is over, or nobody listens any more; then the last error.
fn insist<T>(admin: SocketAddr, deadline: Instant, ask: impl Fn() -> Result<T, String>) -> Result<T, String> {
    let mut refusals = 0;
    loop {
        let error = match ask() {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        refusals = if refuses(admin) { refusals + 1 } else { 0 };
        if refusals >= REFUSALS || Instant::now() >= deadline {
            return Err(error);
        }
        thread::sleep(PAUSE);
    }
}

fn refuses(address: SocketAddr) -> bool {
    let connected = TcpStream::connect_timeout(&address, REFUSED_WITHIN);
    connected.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

/// Requests in flight on the listeners for clients, from Envoy's `/stats` text (`name: value` a line).
fn in_flight(stats: &str) -> u64 {
    let gauges = stats.lines().filter_map(|line| line.split_once(": "));
    // Our own question is one of the admin listener's.
    let for_clients = gauges.filter(|(name, _)| !name.starts_with("http.admin."));
    let of_manager = for_clients.filter(|(name, _)| name.starts_with("http."));
    of_manager.filter_map(|(_, value)| value.trim().parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    /// Answers requests with these bodies, `None` with an error; the paths that were asked for.
    fn admin(answers: Vec<Option<&'static str>>) -> (SocketAddr, thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let serve = move || {
            let mut paths = Vec::new();
            while paths.len() < answers.len() {
                let mut stream = listener.accept().unwrap().0;
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                // Who only looks whether anybody listens asks for nothing.
                let Some(request) = lines.next() else { continue };
                lines.take_while(|line| !line.is_empty()).for_each(drop);
                let (status, body) = answers[paths.len()].map_or(("503 No", "no"), |body| ("200 OK", body));
                let length = body.len();
                write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
                    .unwrap();
                paths.push(request);
            }
            paths
        };
        (address, thread::spawn(serve))
    }

    #[test]
    fn an_answer_that_fails_does_not_end_the_wait() {
        let busy = "http.kthena.downstream_rq_active: 1\n";
        let idle = "http.kthena.downstream_rq_active: 0\n";
        let answers = vec![None, Some(""), None, Some(""), Some(busy), None, None, Some(busy), Some(idle)];
        let (address, served) = admin(answers);
        drain(address, Duration::from_secs(60));
        let paths = served.join().unwrap();
        assert_eq!(paths.iter().filter(|path| path.starts_with("POST /drain_listeners")).count(), 4, "{paths:?}");
        assert_eq!(paths.iter().filter(|path| path.starts_with("GET /stats")).count(), 5, "{paths:?}");
    }

    #[test]
    fn nobody_waits_for_an_envoy_that_is_gone() {
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let begun = Instant::now();
        drain(gone, Duration::from_secs(60));
        assert!(begun.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn only_clients_requests_count() {
        let stats = "http.admin.downstream_rq_active: 1\nhttp.kthena.downstream_rq_active: 3\n\
                     listener.127.0.0.1_8080.http.kthena.downstream_rq_active: 3\n";
        assert_eq!(in_flight(stats), 3);
        assert_eq!(in_flight("http.admin.downstream_rq_active: 1\n"), 0);
        assert_eq!(in_flight(""), 0);
    }
}
