//! What the one thread that starts children is told by the others.

use super::simulate::Simulator;
use kthena_router::source::Snapshot;
use std::sync::Arc;

/// Something happened.
#[derive(Debug)]
pub enum Event {
    /// SIGINT, SIGTERM, SIGHUP or SIGQUIT.
    Stop,
    /// The process with this serial number has ended and waits to be reaped.
    Ended(u64),
    /// The manifests changed.
    Manifests(Arc<Snapshot>),
    /// The simulators started at the edit with this number listen.
    EnginesListen(u64),
    /// An engine has told its models, and none had at the start.
    EngineFound,
    /// A simulator whose Pod is gone has nothing to do any more.
    Idle(Simulator),
    /// The router's sockets are there for Envoy.
    RouterListens,
    /// Requests are served.
    Ready,
    /// Requests were not served in time: why.
    NotReady(String),
    /// No request is in flight any more, or waiting for it is over.
    Drained,
}
