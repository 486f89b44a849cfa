//! The lines of the table: what is broken in each, under which load, and what may be lost.

mod edits;
mod engines;
mod envoy;
mod picker;
mod streams;

use super::load::Spec;
use super::stage::{Fleet, Stage};
use crate::picker::Answer;
use futures::future::{LocalBoxFuture, pending};
use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

/// One line.
#[derive(Clone, Copy)]
pub struct Line {
    /// What it is called, and chosen by.
    pub name: &'static str,
    /// What is done meanwhile, in a few words.
    pub about: &'static str,
    /// The engines.
    pub fleet: Fleet,
    /// The load of a whole run.
    pub spec: Spec,
    /// The calm line that its times are compared with; none: it is one.
    pub against: Option<&'static str>,
    /// What may be lost, as a share of the requests; `None`: that is only looked at.
    pub target: Option<f64>,
    /// Connections are meant to end: see [`super::Tally::with_ended_connections`].
    pub ends_connections: bool,
    /// Whether Envoy has a picker that lies instead of `kthena up`.
    lied_to: bool,
    breaks: Breaks,
}

type Breaks = for<'a> fn(&'a Stage) -> LocalBoxFuture<'a, Infallible>;

/// The calm line of most others.
pub const CALM: &str = "calm";
/// The calm line of two thousand streams.
pub const CALM_STREAMS: &str = "2,000 streams, calm";
/// The line that takes minutes.
pub const MEMORY: &str = "memory";

const FLEET: Fleet = Fleet { engines: 4, ttft: "20ms", tpot: "5ms", timeout: "2s" };
const SPEC: Spec = Spec { clients: 48, requests: 2_000, at_least: Duration::from_secs(15), tokens: 10 };
/// For what only shows what is so.
const FEW: Spec = Spec { requests: 1_000, at_least: Duration::ZERO, ..SPEC };

/// Two thousand streams of three seconds, so that the processors have time for them.
const STREAMS_FLEET: Fleet = Fleet { engines: 8, ttft: "50ms", tpot: "200ms", timeout: "6s" };
const STREAMS: Spec = Spec { clients: 2_000, requests: 10_000, at_least: Duration::ZERO, tokens: 16 };

const LINE: Line = Line {
    name: CALM,
    about: "nothing",
    fleet: FLEET,
    spec: SPEC,
    against: Some(CALM),
    target: Some(0.0),
    ends_connections: false,
    lied_to: false,
    breaks: |_| Box::pin(pending()),
};

/// All lines, in the order of the table.
pub const LINES: &[Line] = &[
    Line { against: None, ..LINE },
    Line {
        name: "picker killed",
        about: "SIGKILL to the router, again whenever it is back",
        spec: Spec { requests: 50_000, ..SPEC },
        breaks: |stage| Box::pin(picker::killed(stage)),
        ..LINE
    },
    Line {
        name: "picker stopped",
        about: "SIGSTOP to the router, for good",
        breaks: |stage| Box::pin(picker::stopped(stage)),
        ..LINE
    },
    Line {
        name: "picker slow",
        about: "SIGSTOP for 200 ms of every 300",
        breaks: |stage| Box::pin(picker::slow(stage)),
        ..LINE
    },
    Line {
        name: "picker lying",
        about: "a picker that names nobody's addresses, garbage, duplicates, 2,500 endpoints, nothing",
        lied_to: true,
        breaks: |stage| Box::pin(picker::lying(stage)),
        ..LINE
    },
    Line {
        name: "picker naming foreign engines",
        about: "a picker that names another ModelServer's engine; it is trusted with that, and the engine's 404 is told",
        lied_to: true,
        target: None,
        spec: FEW,
        breaks: |stage| Box::pin(picker::foreign(stage)),
        ..LINE
    },
    Line {
        name: "picker naming 10,000 endpoints",
        about: "more than Envoy's 70 KiB of headers: Envoy answers 500, whatever the failure mode",
        lied_to: true,
        target: None,
        spec: FEW,
        breaks: |stage| Box::pin(picker::boundless(stage)),
        ..LINE
    },
    Line {
        name: "engine killed",
        about: "SIGKILL to one of four, one after the other, each back after a second",
        breaks: |stage| Box::pin(engines::killed(stage)),
        ..LINE
    },
    Line {
        name: "engine stalled",
        about: "two of four do not begin to answer, or pause for a second in the middle",
        breaks: |stage| Box::pin(engines::stalled(stage)),
        ..LINE
    },
    Line {
        name: "engine dripping",
        about: "two of four answer 32 bytes at a time",
        breaks: |stage| Box::pin(engines::dripping(stage)),
        ..LINE
    },
    Line {
        name: "engine resetting first",
        about: "two of four reset or close the connection before the first byte",
        breaks: |stage| Box::pin(engines::resetting_first(stage)),
        ..LINE
    },
    Line {
        name: "engine resetting mid-stream",
        about: "two of four reset or close the connection behind the third event",
        breaks: |stage| Box::pin(engines::resetting_midway(stage)),
        ..LINE
    },
    Line {
        name: "engine answering 5xx",
        about: "two of four answer 500, 502 or 503",
        breaks: |stage| Box::pin(engines::failing(stage)),
        ..LINE
    },
    Line {
        name: "manifests edited",
        about: "ten edits a second: Pods leave and come, routes change, broken YAML in between",
        breaks: |stage| Box::pin(edits::edited(stage)),
        ..LINE
    },
    Line {
        name: "Envoy restarted",
        about: "SIGKILL to Envoy every four seconds; its connections end, which is no loss in silence",
        ends_connections: true,
        breaks: |stage| Box::pin(envoy::killed(stage)),
        ..LINE
    },
    Line { name: CALM_STREAMS, fleet: STREAMS_FLEET, spec: STREAMS, against: None, ..LINE },
    Line {
        name: "2,000 streams, engines failing",
        about: "one or two of eight at a time: killed, resetting, stalling, answering 5xx, dripping",
        fleet: STREAMS_FLEET,
        spec: Spec { requests: 20_000, ..STREAMS },
        against: Some(CALM_STREAMS),
        target: Some(0.0001),
        breaks: |stage| Box::pin(streams::failing(stage)),
        ..LINE
    },
    Line {
        name: MEMORY,
        about: "nothing; memory of Envoy and of the router each second",
        spec: Spec { at_least: Duration::from_secs(600), ..SPEC },
        ..LINE
    },
];

// === impl Line ===

impl Line {
    /// The line of that name.
    ///
    /// # Panics
    /// When there is none.
    pub fn named(name: &str) -> &'static Self {
        LINES.iter().find(|line| line.name == name).unwrap_or_else(|| panic!("there is no line {name}"))
    }

    /// Its stage, before anything is broken.
    pub async fn stage(&self) -> Stage {
        match self.lied_to {
            true => Stage::lied_to(self.fleet, Answer::destination("")).await,
            false => Stage::up(self.fleet).await,
        }
    }

    /// Breaks things until it is dropped.
    pub async fn breaks(&self, stage: &Stage) -> Infallible {
        (self.breaks)(stage).await
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Line").field(&self.name).finish()
    }
}
