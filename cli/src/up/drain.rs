//! The end of a run: no new connections, and nobody's answer cut off.

use super::http::Http;
use super::say;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

/// How often to look whether requests are in flight.
const PAUSE: Duration = Duration::from_millis(50);
/// How often to say that we wait.
const REPORT: Duration = Duration::from_secs(5);

/// Drains the Envoy with this admin address; returns when no request is in flight, or when `timeout` has passed.
pub fn drain(admin: SocketAddr, timeout: Duration) {
    let deadline = Instant::now() + timeout;
    let http = Http::new();
    // The first makes every answer say `connection: close`, but goes on listening for a while; the second
    // stops listening at once and leaves connections alone.
    for path in ["/drain_listeners?graceful&skip_exit", "/drain_listeners"] {
        if let Err(error) = http.post(admin, path) {
            return say(&format!("Envoy is not drained: {error}"));
        }
    }
    let mut report_at = Instant::now();
    loop {
        let active = match http.get(admin, "/stats?filter=downstream_rq_active") {
            Ok(stats) => in_flight(&stats),
            Err(error) => return say(&format!("Envoy's requests in flight are not known: {error}")),
        };
        let now = Instant::now();
        if active == 0 {
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

    #[test]
    fn only_clients_requests_count() {
        let stats = "http.admin.downstream_rq_active: 1\nhttp.kthena.downstream_rq_active: 3\n\
                     listener.127.0.0.1_8080.http.kthena.downstream_rq_active: 3\n";
        assert_eq!(in_flight(stats), 3);
        assert_eq!(in_flight("http.admin.downstream_rq_active: 1\n"), 0);
        assert_eq!(in_flight(""), 0);
    }
}
