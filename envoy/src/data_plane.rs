//! What [`crate::compile`] makes of the resources: everything that Envoy and the picker need.

use crate::bounds::Patience;
use crate::tracing::Tracing;
use kthena_core::engine::{EngineType, Transport};
use kthena_core::routing::{BackoffClass, Table};
use kthena_crds::Problem;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// A compiled configuration. Equal resources give equal values.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DataPlane {
    /// What the filter routes by; its version is set by whoever publishes it.
    pub table: Table,
    /// Every engine endpoint with the ModelServers it belongs to, by address.
    pub endpoints: Vec<EngineEndpoint>,
    /// Where Envoy listens.
    pub listeners: Vec<Listener>,
    /// Whether answers say which endpoint gave them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub endpoint_header: bool,
    /// The routes: one for each back-off class, whatever users write.
    pub routes: Vec<BackoffClass>,
    /// Requests that are silent for this long end; a setting, not compiled.
    #[serde(skip)]
    pub stream_idle_timeout: Duration,
    /// Whether spans are made of requests, and where they go; a setting, not compiled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracing: Option<Tracing>,
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
    /// How it is spoken to.
    #[serde(skip_serializing_if = "Transport::is_plain")]
    pub transport: Transport,
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
    /// The certificate that clients are shown; without one they speak plain HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// How long clients may take.
    #[serde(skip)]
    pub patience: Patience,
}

/// A certificate and its key: two PEM files that Envoy reads, and reads again when they are replaced.
///
/// Nothing but Envoy ever holds what is in them: whatever is in a resource is shown by `/config_dump`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tls {
    /// The certificate, the ones that vouch for it behind it.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
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
    /// How they are spoken to.
    #[serde(skip_serializing_if = "Transport::is_plain")]
    pub transport: Transport,
    /// Address and Pod (`namespace/name`) of each.
    pub endpoints: Vec<(SocketAddr, String)>,
}

fn lines<S: Serializer>(problems: &[Problem], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(problems.iter().map(ToString::to_string))
}
