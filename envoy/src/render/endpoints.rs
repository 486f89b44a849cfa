//! EDS: every engine endpoint, tagged with the ModelServers it belongs to.

use super::{ENGINES, socket_address, tls};
use crate::data_plane::EngineEndpoint;
use crate::xds::Resource;
use envoy_types::pb::envoy::config::core::v3::Metadata;
use envoy_types::pb::envoy::config::endpoint::v3::{
    ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints, lb_endpoint,
};
use envoy_types::pb::google::protobuf::{ListValue, Struct, Value, value::Kind};
use std::collections::HashMap;

/// The namespace and key by which the subset policy finds a ModelServer's endpoints.
pub(super) const NAMESPACE: &str = "envoy.lb";
/// A list under [`NAMESPACE`]: an endpoint may belong to several ModelServers.
pub(super) const KEY: &str = "ms";

pub(super) fn render(endpoints: &[EngineEndpoint]) -> Resource {
    let lb_endpoints = endpoints.iter().map(lb_endpoint).collect();
    (
        ENGINES,
        ClusterLoadAssignment {
            cluster_name: ENGINES.to_owned(),
            endpoints: vec![LocalityLbEndpoints { lb_endpoints, ..Default::default() }],
            ..Default::default()
        },
    )
        .into()
}

fn lb_endpoint(endpoint: &EngineEndpoint) -> LbEndpoint {
    let servers = endpoint.servers.iter().map(|server| Value { kind: Some(Kind::StringValue(server.clone())) });
    let list = Value { kind: Some(Kind::ListValue(ListValue { values: servers.collect() })) };
    let tags = Struct { fields: HashMap::from([(KEY.to_owned(), list)]) };
    LbEndpoint {
        metadata: Some(Metadata {
            filter_metadata: HashMap::from([
                (NAMESPACE.to_owned(), tags),
                (tls::NAMESPACE.to_owned(), tls::tag(&endpoint.transport)),
            ]),
            ..Default::default()
        }),
        host_identifier: Some(lb_endpoint::HostIdentifier::Endpoint(Endpoint {
            address: Some(socket_address(endpoint.address)),
            hostname: endpoint.transport.trust().map(|trust| trust.server_name.clone()).unwrap_or_default(),
            ..Default::default()
        })),
        ..Default::default()
    }
}
