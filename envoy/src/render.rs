//! A data plane as Envoy's own resources: the constant shape, the table and the endpoints.
//!
//! One listener, one route for each back-off class, one cluster for all engines, one for the picker, one for the log,
//! and where spans are made one for their collector.
//! Why each field is as it is stands beside it; the facts are measured on Envoy 1.40.

mod access_log;
mod clusters;
mod collector;
mod endpoints;
mod filters;
mod listener;
mod replies;
mod routes;
mod secret;
mod table;
mod tls;
mod tracing;

use crate::data_plane::{DataPlane, Listener};
use crate::tracing::Tracing;
use crate::xds::{Resource, Snapshot};
use envoy_types::pb::envoy::config::core::v3::{
    Address, AggregatedConfigSource, ApiVersion, ConfigSource, Pipe, SocketAddress, address, config_source,
    socket_address,
};
use envoy_types::pb::google::protobuf::{Duration, UInt32Value};
use kthena_core::routing::BackoffClass;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

pub use access_log::FLUSH as ACCESS_LOG_FLUSH;

pub(crate) const ENGINES: &str = "engines";
pub(crate) const PICKER: &str = "picker";
pub(crate) const LOG: &str = "log";
pub(crate) const OTLP: &str = "otlp";
/// The listener's, the route table's and the filter configuration's name alike.
pub(crate) const NAME: &str = "kthena";

/// Where this process is to be found by Envoy, and Envoy by its own files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wiring {
    /// The Unix sockets.
    pub sockets: Sockets,
    /// The filter's module, as Envoy sees the file system.
    pub wasm: PathBuf,
}

/// The Unix sockets that Envoy connects to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sockets {
    /// xDS over ADS.
    pub xds: PathBuf,
    /// The endpoint picker and the access log.
    pub picker: PathBuf,
}

// === impl Sockets ===

impl Sockets {
    /// The sockets in a directory of their own.
    pub fn in_directory(directory: &Path) -> Self {
        Self { xds: directory.join("xds.sock"), picker: directory.join("picker.sock") }
    }
}

/// Renders data planes, one after the other.
///
/// What users do not touch is rendered once and kept: protobuf maps are encoded in no fixed order, and bytes
/// that differ would be news to Envoy.
#[derive(Debug)]
pub struct Renderer {
    wiring: Wiring,
    shape: Option<Shape>,
    /// The engine cluster, and the authorities that it was rendered for.
    engines: Option<(BTreeSet<String>, Resource)>,
}

/// The resources that depend on settings only, and those settings.
#[derive(Debug)]
struct Shape {
    listeners: Vec<Listener>,
    routes: Vec<BackoffClass>,
    max_request_body_bytes: u64,
    endpoint_header: bool,
    stream_idle_timeout: std::time::Duration,
    tracing: Option<Tracing>,
    resources: Vec<Resource>,
}

// === impl Renderer ===

impl Renderer {
    /// A renderer for an Envoy that is wired so.
    pub fn new(wiring: Wiring) -> Self {
        Self { wiring, shape: None, engines: None }
    }

    /// Renders everything that Envoy asks for.
    ///
    /// # Errors
    /// The table cannot be encoded.
    pub fn render(&mut self, data_plane: &DataPlane) -> Result<Snapshot, String> {
        let table = table::render(&data_plane.table, &self.wiring.wasm, data_plane.tracing.is_some())?;
        let endpoints = endpoints::render(&data_plane.endpoints);
        let shape = match self.shape.take() {
            Some(shape) if shape.fits(data_plane) => shape,
            _ => Shape::of(data_plane, &self.wiring),
        };
        let engines = self.engines(data_plane);
        let resources = [engines].into_iter().chain(shape.resources.iter().cloned()).chain([endpoints, table]);
        let snapshot = Snapshot::new(resources);
        self.shape = Some(shape);
        Ok(snapshot)
    }

    /// The engine cluster changes with the authorities that vouch for engines, and with nothing else.
    fn engines(&mut self, data_plane: &DataPlane) -> Resource {
        let trusts = data_plane.endpoints.iter().filter_map(|endpoint| endpoint.transport.trust());
        let authorities: BTreeSet<&str> = trusts.map(|trust| trust.ca.as_str()).collect();
        if let Some((known, engines)) = &self.engines
            && known.iter().map(String::as_str).eq(authorities.iter().copied())
        {
            return engines.clone();
        }
        let engines = clusters::engines(&authorities);
        self.engines = Some((authorities.into_iter().map(str::to_owned).collect(), engines.clone()));
        engines
    }
}

// === impl Shape ===

impl Shape {
    fn of(data_plane: &DataPlane, wiring: &Wiring) -> Self {
        let limit = data_plane.table.max_request_body_bytes;
        let tracing = data_plane.tracing.as_ref();
        let mut resources = vec![
            clusters::grpc(PICKER, &wiring.sockets.picker),
            clusters::grpc(LOG, &wiring.sockets.picker),
            routes::render(data_plane),
        ];
        resources.extend(tracing.map(|tracing| collector::render(&tracing.collector)));
        resources.extend(data_plane.listeners.iter().map(|listener| listener::render(listener, tracing)));
        resources.extend(data_plane.listeners.iter().filter_map(|listener| listener.tls.as_ref().map(secret::render)));
        Self {
            listeners: data_plane.listeners.clone(),
            routes: data_plane.routes.clone(),
            max_request_body_bytes: limit,
            endpoint_header: data_plane.endpoint_header,
            stream_idle_timeout: data_plane.stream_idle_timeout,
            tracing: data_plane.tracing.clone(),
            resources,
        }
    }

    fn fits(&self, data_plane: &DataPlane) -> bool {
        self.listeners == data_plane.listeners
            && self.routes == data_plane.routes
            && self.max_request_body_bytes == data_plane.table.max_request_body_bytes
            && self.endpoint_header == data_plane.endpoint_header
            && self.stream_idle_timeout == data_plane.stream_idle_timeout
            && self.tracing == data_plane.tracing
    }
}

impl<M: prost::Name> From<(&str, M)> for Resource {
    fn from((name, message): (&str, M)) -> Self {
        Self { name: name.to_owned(), body: envoy_types::util::pack_any(message) }
    }
}

/// The clusters' names.
pub(crate) fn clusters(traced: bool) -> Vec<&'static str> {
    [ENGINES, PICKER, LOG].into_iter().chain(traced.then_some(OTLP)).collect()
}

/// Envoy's configuration comes over the one aggregated stream.
pub(crate) fn ads() -> ConfigSource {
    ConfigSource {
        resource_api_version: ApiVersion::V3.into(),
        config_source_specifier: Some(config_source::ConfigSourceSpecifier::Ads(AggregatedConfigSource {})),
        ..Default::default()
    }
}

pub(crate) fn socket_address(address: SocketAddr) -> Address {
    Address {
        address: Some(address::Address::SocketAddress(SocketAddress {
            address: address.ip().to_string(),
            port_specifier: Some(socket_address::PortSpecifier::PortValue(address.port().into())),
            ..Default::default()
        })),
    }
}

pub(crate) fn pipe(path: &Path) -> Address {
    let path = path.display().to_string();
    Address { address: Some(address::Address::Pipe(Pipe { path, ..Default::default() })) }
}

pub(crate) fn duration(duration: std::time::Duration) -> Option<Duration> {
    // Both fit: every duration here is a constant of ours.
    Some(Duration { seconds: duration.as_secs() as i64, nanos: duration.subsec_nanos() as i32 })
}

pub(crate) fn uint32(value: u32) -> Option<UInt32Value> {
    Some(UInt32Value { value })
}

#[cfg(test)]
mod tests;
