//! The end of an Envoy: first no new connections, then nobody's answer cut off.
//!
//! Envoy is asked over its admin pages, by whoever ends before it: `kthena up` for its child, `kthena-router` for
//! the Envoy in its pod, which kubelet stops only after us.

mod admin;

use admin::Admin;
use kthena_envoy::ACCESS_LOG_FLUSH;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// How often to look whether requests are in flight.
const PAUSE: Duration = Duration::from_millis(50);
/// How often to say that we wait.
const REPORT: Duration = Duration::from_secs(5);

/// Refused connections in a row after which nobody is taken to listen.
const REFUSALS: u32 = 5;

/// Which Envoy to drain, and how long that may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drain {
    /// Envoy's admin address.
    pub admin: SocketAddr,
    /// How long new connections are still taken: whoever sends them here hears late that they had better not.
    pub linger: Duration,
    /// How long it may take altogether.
    pub timeout: Duration,
}

/// What there is to say of a drain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Requests are in flight, and so much time is left.
    Waiting(u64, Duration),
    /// Requests are in flight although the time (`DRAIN_TIMEOUT`) has passed.
    TimedOut(u64, Duration),
    /// Envoy did not do as it was asked.
    NotDrained(String),
    /// Envoy is gone, or says nothing of its requests.
    Unknown(String),
}

// === impl Drain ===

impl Drain {
    /// Drains; returns when no request is in flight, when the time has passed, or when Envoy is gone. An answer that
    /// fails or is late says nothing about the requests: it is asked for again.
    pub async fn run(self, say: impl Fn(News)) {
        let deadline = Instant::now() + self.timeout;
        let admin = Admin(self.admin);
        // The first makes every answer say `connection: close`, but goes on listening for a while; the second
        // stops listening at once and leaves connections alone.
        if let Err(error) = insist(admin, deadline, || admin.post("/drain_listeners?graceful&skip_exit")).await {
            return say(News::NotDrained(error));
        }
        sleep_until(deadline.min(Instant::now() + self.linger)).await;
        if let Err(error) = insist(admin, deadline, || admin.post("/drain_listeners")).await {
            return say(News::NotDrained(error));
        }
        let mut report_at = Instant::now();
        loop {
            let stats = insist(admin, deadline, || admin.get("/stats?filter=downstream_rq_active")).await;
            let active = match stats {
                Ok(stats) => in_flight(&stats),
                Err(error) => return say(News::Unknown(error)),
            };
            let now = Instant::now();
            if active == 0 {
                // Ended now, Envoy would keep the last requests' lines to itself.
                return sleep(ACCESS_LOG_FLUSH + PAUSE).await;
            }
            if now >= deadline {
                return say(News::TimedOut(active, self.timeout));
            }
            if now >= report_at {
                say(News::Waiting(active, deadline - now));
                report_at = now + REPORT;
            }
            sleep(PAUSE).await;
        }
    }
}

/// Asks until there is an answer, the time is over, or nobody listens any more; then the last error.
async fn insist<T>(
    admin: Admin,
    deadline: Instant,
    mut ask: impl AsyncFnMut() -> Result<T, String>,
) -> Result<T, String> {
    let mut refusals = 0;
    loop {
        let error = match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        refusals = if admin.refuses().await { refusals + 1 } else { 0 };
        if refusals >= REFUSALS || Instant::now() >= deadline {
            return Err(error);
        }
        sleep(PAUSE).await;
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

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting(active, left) => {
                write!(f, "draining, requests in flight: {active}; at most {} s more", left.as_secs_f64().ceil())
            }
            Self::TimedOut(active, timeout) => {
                write!(
                    f,
                    "requests in flight after {} (DRAIN_TIMEOUT): {active}, ending them",
                    humantime::format_duration(*timeout)
                )
            }
            Self::NotDrained(error) => write!(f, "Envoy is not drained: {error}"),
            Self::Unknown(error) => write!(f, "Envoy's requests in flight are not known: {error}"),
        }
    }
}

#[cfg(test)]
mod tests;
