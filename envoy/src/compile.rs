//! Resources in, data plane out: pure and total.
//!
//! A reference that leads nowhere is a value (the table says that the target is missing), not an error;
//! whatever cannot be served as written becomes a problem on the object that says it. Envoy's shape does
//! not depend on what users write: their edits change the table and the endpoints only, so nothing drains.

mod authorities;
mod endpoints;
mod profiles;
mod routes;
mod servers;
mod transport;

use crate::bounds::Patience;
use crate::data_plane::{DataPlane, Listener, Tls};
use crate::tracing::Tracing;
use kthena_core::config::{DEFAULT_MAX_REQUEST_BODY_BYTES, DEFAULT_STREAM_IDLE_TIMEOUT};
use kthena_core::routing::{BackoffClass, Table};
use kthena_crds::{ObjectRef, Resource, Resources};
use std::net::SocketAddr;
use std::time::Duration;

pub use endpoints::{PORT, SIMULATED_FOR, port};
pub use profiles::Profiles;

/// What is configured outside the resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where Envoy listens for clients.
    pub listen: SocketAddr,
    /// Whether nobody else may listen there, another Envoy of this user included.
    pub exclusive: bool,
    /// Bodies beyond this many bytes get 413.
    pub max_request_body_bytes: u64,
    /// Requests that are silent for this long end.
    pub stream_idle_timeout: Duration,
    /// How long clients may take.
    pub patience: Patience,
    /// The scheduling profiles that ModelServers may name.
    pub profiles: Profiles,
    /// Whether answers say which endpoint gave them.
    pub endpoint_header: bool,
    /// Whether the credentials that clients send are kept from engines.
    pub drop_credentials: bool,
    /// The certificate that clients are shown; without one they speak plain HTTP.
    pub tls: Option<Tls>,
    /// Whether spans are made of requests, and where they go.
    pub tracing: Option<Tracing>,
}

/// Compiles resources into a data plane.
pub fn compile(resources: &Resources, settings: &Settings) -> DataPlane {
    let mut problems = Vec::new();
    let (endpoints, picker) = endpoints::compile(resources, &settings.profiles, &mut problems);
    let mut servers = servers::Servers::new(resources, &settings.profiles, &picker);
    let routes = routes::compile(resources, &mut servers, &mut problems);
    servers.problems(&mut problems);
    problems.sort();
    DataPlane {
        table: Table {
            version: 0,
            max_request_body_bytes: settings.max_request_body_bytes,
            drop_credentials: settings.drop_credentials,
            servers: servers.into_table(),
            routes,
        },
        endpoints,
        listeners: vec![Listener {
            name: "kthena".to_owned(),
            address: settings.listen,
            exclusive: settings.exclusive,
            tls: settings.tls.clone(),
            patience: settings.patience,
        }],
        endpoint_header: settings.endpoint_header,
        routes: BackoffClass::ALL.to_vec(),
        stream_idle_timeout: settings.stream_idle_timeout,
        tracing: settings.tracing.clone(),
        clusters: crate::render::clusters(settings.tracing.is_some()),
        picker,
        problems,
    }
}

/// `namespace/name`, as every other part knows an object.
fn key<K: Resource<DynamicType = ()>>(object: &K) -> String {
    let ObjectRef { namespace, name, .. } = ObjectRef::of(object);
    format!("{namespace}/{name}")
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            exclusive: false,
            max_request_body_bytes: DEFAULT_MAX_REQUEST_BODY_BYTES,
            stream_idle_timeout: DEFAULT_STREAM_IDLE_TIMEOUT,
            patience: Patience::default(),
            profiles: Profiles::default(),
            endpoint_header: false,
            drop_credentials: false,
            tls: None,
            tracing: None,
        }
    }
}
