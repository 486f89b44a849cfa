//! Routing policies side by side on a simulated fleet, in virtual time.
//!
//! Whether a way of choosing engines is a good one shows only under load, with caches that fill and metrics that are
//! late. Real engines for that are dear, and two runs on them are never the same; here the engine is
//! [`kthena_simulator::VirtualEngine`], an hour of a fleet takes seconds, and a seed gives the same figures again.
//!
//! A [`Workload`] says what clients ask, a [`Policy`] which engine gets it, [`run`] lets the two meet on engines, and
//! an [`Outcome`] is what came of it. `setup` holds how fast the engines are, and why; `scenario` what is run and
//! `contender` by whom; `report` writes it down.

pub mod contender;
mod figures;
mod outcome;
pub mod policy;
pub mod report;
pub mod run;
pub mod scenario;
pub mod setup;
pub mod workload;

pub use figures::Figures;
pub use outcome::Outcome;
pub use policy::Policy;
pub use run::{Clients, run};
pub use workload::Workload;
