//! Which child is which.

use crate::up::simulate::Simulator;
use std::fmt;
use std::net::SocketAddr;

/// A child of `kthena up`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// Envoy.
    Envoy,
    /// The router: xDS and the picker.
    Router,
    /// A simulated engine.
    Simulator(Simulator),
}

/// What two processes cannot have at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seat {
    /// Envoy's ports.
    Envoy,
    /// The router's ports.
    Router,
    /// A simulated engine's address, whichever Pod it is.
    Simulator(SocketAddr),
}

// === impl Name ===

impl Name {
    /// What it alone may have.
    pub fn seat(&self) -> Seat {
        match self {
            Self::Envoy => Seat::Envoy,
            Self::Router => Seat::Router,
            Self::Simulator(simulator) => Seat::Simulator(simulator.address),
        }
    }

    /// The role's name among the subcommands of `kthena child`.
    pub fn role(&self) -> &'static str {
        match self {
            Self::Envoy => "envoy",
            Self::Router => "router",
            Self::Simulator(_) => "simulator",
        }
    }

    /// Whether its standard output is for whoever started us, as it is: the router's is the access log.
    pub fn speaks_plainly(&self) -> bool {
        matches!(self, Self::Router)
    }

    /// What stands before each line of its output.
    pub fn prefix(&self) -> String {
        match self {
            Self::Envoy | Self::Router => format!("[{self}]"),
            Self::Simulator(simulator) => format!("[sim {}]", simulator.pod),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Envoy | Self::Router => f.write_str(self.role()),
            Self::Simulator(simulator) => write!(f, "simulator {}", simulator.pod),
        }
    }
}
