//! The figures that weigh load against affinity. They are judgements, here together to be tuned together.
//!
//! A profile adds scores up, so what matters is how far apart two endpoints' scores lie. At equal weights a prompt
//! that an endpoint has whole is worth as much as [`FEW`] requests more than another endpoint has while there are
//! few, and as much as being the busiest once there are many; beyond [`headroom`](super::headroom) it is worth
//! nothing.

/// `least-request` scores by shares of this many requests until an endpoint has more.
///
/// Where the busiest endpoint counts as fully loaded, however little it has, a single request in flight is worth as
/// much as a whole prompt in the cache, and equal prompts scatter on an idle fleet. An engine takes this many into a
/// batch without anybody noticing.
pub(super) const FEW: u32 = 16;

/// `least-latency` takes an endpoint for twice as slow once it has this many requests.
///
/// Less spreads faster on what is in flight; more tells a slow endpoint from a fast one up to a higher load. With 4,
/// an endpoint six times as slow as one other gets less than 8 % of 50 requests at once; with 1 it gets 14 %.
pub(super) const TWICE: f64 = 4.0;

/// `least-latency` takes what is expected to be this many times as long as the shortest for as good: measured times of
/// equal endpoints differ by more than nothing.
pub(super) const NOISE: f64 = 1.1;

/// Affinity is halved once an endpoint's queue is longer than the shortest one by this share of what runs there.
///
/// A prompt that is not in a cache costs its prefill; to wait behind w requests while r run costs w / r of a whole
/// request. An eighth of a request's time is about a long prompt's prefill.
pub(super) const QUEUE: f64 = 1.0 / 8.0;

/// Half of what a match may count for is reached where it saves this many tokens.
///
/// Engines keep blocks of 16 tokens or more, and to compute a hundred takes a few milliseconds: to send everybody who
/// says hello to one endpoint saves nothing and makes it busy.
pub(super) const SAVED: f64 = 128.0;

/// An endpoint keeps its affinity up to so many requests more than the others' mean and the fewest together: a few
/// may share a prompt while others idle, and a popular one may make its endpoint twice as busy.
pub(super) const ROOM: f64 = FEW as f64;

/// It has none left at so many times that.
pub(super) const FULL: f64 = 2.0;

/// What a free slot is worth to an adapter that is in no slot, when to be in one is worth 1.
///
/// Loading it costs the request some time, and nobody else any; taking a slot from another adapter will cost that
/// one the same again.
pub(super) const FREE_SLOT: f64 = 0.5;
