//! EDS: every engine endpoint, tagged with the ModelServers it belongs to.

use super::{ENGINES, socket_address, tls};
use crate::data_plane::EngineEndpoint;
use crate::xds::Resource;
use envoy_types::pb::envoy::config::core::v3::{Locality, Metadata};
use envoy_types::pb::envoy::config::endpoint::v3::{
    ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints, lb_endpoint,
};
use envoy_types::pb::google::protobuf::{ListValue, Struct, Value, value::Kind};
use std::collections::{BTreeMap, HashMap};

/// The namespace and key by which the subset policy finds a ModelServer's endpoints.
pub(super) const NAMESPACE: &str = "envoy.lb";
/// A list under [`NAMESPACE`]: an endpoint may belong to several ModelServers.
pub(super) const KEY: &str = "ms";

pub(super) fn render(endpoints: &[EngineEndpoint]) -> Resource {
    let mut localities: BTreeMap<String, Vec<LbEndpoint>> = BTreeMap::new();
    for endpoint in endpoints {
        localities.entry(tls::locality(&endpoint.transport)).or_default().push(lb_endpoint(endpoint));
    }
    let locality = |(sub_zone, lb_endpoints)| LocalityLbEndpoints {
        locality: Some(Locality { sub_zone, ..Default::default() }),
        lb_endpoints,
        ..Default::default()
    };
    (
        ENGINES,
        ClusterLoadAssignment {
            cluster_name: ENGINES.to_owned(),
            endpoints: localities.into_iter().map(locality).collect(),
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
