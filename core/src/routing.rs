//! Which ModelServer a request goes to: model name, then LoRA adapter; oldest route first; rules in order.
//!
//! A [`Table`] is compiled from ModelRoutes and ModelServers, sent to the filter as bytes
//! ([`Table::encode`]) and loaded there once ([`Routes`]). It says of every target whether it exists and
//! has endpoints, so that "can't find model server" and "no available pods" need no picker.
//!
//! Contract: upstream's matching (unanchored regex, byte prefixes, a missing header equals an empty one,
//! a rule whose weights are all zero passes the request on to the next ModelRoute).

mod backoff;
mod budget;
mod codec;
mod pattern;
mod resolve;
mod table;

pub use backoff::BackoffClass;
pub use budget::Budgets;
pub use codec::DecodeError;
pub use pattern::{Pattern, PatternError, Regex};
pub use resolve::{Query, Resolution, Routed, Routes};
pub use table::{Rule, RuleMatch, Server, ServerState, Table, Target, TargetRoute};
