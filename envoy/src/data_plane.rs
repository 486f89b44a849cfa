//! What [`crate::compile`] makes of the resources: everything that Envoy and the picker need.

use crate::bounds::Patience;
use kthena_core::engine::EngineType;
use kthena_core::routing::{BackoffClass, Table};
use kthena_crds::Problem;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// A compiled configuration. Equal resources give equal values.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DataPlane {
    /// What the filter routes by; its version is set by whoever publishes it.
    pub table: Table,
    /// Every engine endpoint with the ModelServers it belongs to, by address.
    pub endpoints: Vec<EngineEndpoint>,
    /// Where Envoy listens.
    pub listeners: Vec<Listener>,
    /// The routes: one for each back-off class, whatever users write.
    pub routes: Vec<BackoffClass>,
    /// The clusters, whatever users write.
    pub clusters: Vec<&'static str>,
    /// What the picker chooses from, by ModelServer (`namespace/name`).
    pub picker: BTreeMap<String, PickerPool>,
    /// What is wrong or served without, for the objects' owners.
    #[serde(serialize_with = "lines")]
    pub problems: Vec<Problem>,
}

/// One address in Envoy's engine cluster.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EngineEndpoint {
    /// Pod IP and the Pod's own port ([`crate::PORT`]), or else the ModelServer's.
    pub address: SocketAddr,
    /// `namespace/name` of the Pod.
    pub pod: String,
    /// `namespace/name` of the ModelServers it serves.
    pub servers: Vec<String>,
}

/// One listener.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Listener {
    /// Its name in Envoy.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether nobody else may listen there too. Else Envoy's workers listen with `SO_REUSEPORT`, each for
    /// itself, which lets another Envoy of the same user take a share of the connections unnoticed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub exclusive: bool,
    /// How long clients may take.
    #[serde(skip)]
    pub patience: Patience,
}

/// The endpoints of one ModelServer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PickerPool {
    /// What runs at them.
    pub engine: EngineType,
    /// The scheduling profile that chooses among them, one of [`crate::Profiles::named`]; `None` for the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Whether only a pick may serve.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub fail_close: bool,
    /// Address and Pod (`namespace/name`) of each.
    pub endpoints: Vec<(SocketAddr, String)>,
}

fn lines<S: Serializer>(problems: &[Problem], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(problems.iter().map(ToString::to_string))
}
