//! Where the objects come from: a directory of the manifests that a cluster would be given, or engines that are asked
//! what they serve.
//!
//! The only rule that matters: what is served never gets worse because somebody is in the middle
//! of an edit. A file that cannot be read whole keeps the objects it last held, and the reason is
//! a [`Problem`](kthena_crds::Problem), not a failure. Only a deletion deletes.

mod directory;
pub mod endpoints;
mod files;
mod manifest;
mod object;
mod origin;
mod snapshot;
mod text;
mod watch;

pub use directory::{Directory, OpenError};
pub use origin::ENDPOINT_API_KEY;
pub(crate) use origin::Origin;
pub use snapshot::Snapshot;
pub(crate) use text::{Text, TextFile};
pub use watch::watch;
