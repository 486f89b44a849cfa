//! A piece of time under load: what was asked in it, and what it cost.

use super::{Counts, Machine, Side, Sides};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// The accounts at one time.
#[derive(Debug, Clone)]
pub struct Window<'a> {
    sides: &'a Sides,
    side: Side,
    at: Instant,
    counts: Counts,
    used: [super::Used; 2],
    machine: Machine,
}

/// What was between two times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// How long it took.
    pub took: Duration,
    /// Chats that were answered in one piece.
    pub requests: u64,
    /// Chunks of streams.
    pub chunks: u64,
    /// Processor time of Envoy.
    pub envoy: Duration,
    /// Processor time of the router; none on the plain side.
    pub router: Duration,
    /// Processors that others kept busy.
    pub others: f64,
}

// === impl Window ===

impl<'a> Window<'a> {
    /// Begins one.
    ///
    /// # Errors
    /// Something that is measured has ended.
    pub async fn begin(sides: &'a Sides, side: Side) -> anyhow::Result<Self> {
        let counts = sides.engines.counts().await?;
        Ok(Self { sides, side, at: Instant::now(), counts, used: sides.used(side)?, machine: Machine::now()? })
    }

    /// What was in it until now, and the next one.
    ///
    /// # Errors
    /// As [`Window::begin`].
    pub async fn next(self) -> anyhow::Result<(Sample, Self)> {
        let next = Self::begin(self.sides, self.side).await?;
        let ([envoy, router], [envoy_then, router_then]) = (&next.used, &self.used);
        let sample = Sample {
            took: next.at - self.at,
            requests: next.counts.requests.saturating_sub(self.counts.requests),
            chunks: next.counts.chunks.saturating_sub(self.counts.chunks),
            envoy: envoy.since(envoy_then),
            router: router.since(router_then),
            others: next.machine.others_since(&self.machine),
        };
        Ok((sample, next))
    }

    /// One that lasts so long.
    ///
    /// # Errors
    /// As [`Window::begin`].
    pub async fn of(sides: &'a Sides, side: Side, lasts: Duration) -> anyhow::Result<Sample> {
        let window = Self::begin(sides, side).await?;
        sleep(lasts).await;
        Ok(window.next().await?.0)
    }
}

// === impl Sample ===

impl Sample {
    /// Microseconds of processors for each request.
    pub fn per_request(&self) -> f64 {
        self.cpu().as_secs_f64() * 1e6 / self.requests as f64
    }

    /// Microseconds of processors for each chunk of a stream.
    pub fn per_chunk(&self) -> f64 {
        self.cpu().as_secs_f64() * 1e6 / self.chunks as f64
    }

    /// Requests that were answered each second.
    pub fn throughput(&self) -> f64 {
        self.requests as f64 / self.took.as_secs_f64()
    }

    /// Processor time of the whole side.
    pub fn cpu(&self) -> Duration {
        self.envoy + self.router
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_request_costs_is_the_time_of_all_processes_of_a_side() {
        let [envoy, router] = [300, 100].map(Duration::from_millis);
        let took = Duration::from_secs(4);
        let sample = Sample { took, requests: 2_000, chunks: 8_000, envoy, router, others: 0.0 };
        assert_eq!((sample.per_request(), sample.per_chunk(), sample.throughput()), (200.0, 50.0, 500.0));
        assert!(!Sample { requests: 0, ..sample }.per_request().is_finite());
    }
}
