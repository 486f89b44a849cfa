//! CDS: all engines in one cluster, the picker, and the access log.

use super::endpoints::KEY;
use super::{ENGINES, ads, duration, pipe, tls, uint32};
use crate::xds::Resource;
use envoy_types::pb::envoy::config::cluster::v3::{
    CircuitBreakers, Cluster, LoadBalancingPolicy, circuit_breakers::Thresholds, cluster, load_balancing_policy,
};
use envoy_types::pb::envoy::config::common::mutation_rules::v3::{HeaderMutation as Mutation, header_mutation};
use envoy_types::pb::envoy::config::core::v3::{
    Http1ProtocolOptions, Http2ProtocolOptions, HttpProtocolOptions as CommonOptions, RoutingPriority,
    TypedExtensionConfig,
};
use envoy_types::pb::envoy::config::endpoint::v3::{
    ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints, lb_endpoint,
};
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3::{HeaderMutation, Mutations};
use envoy_types::pb::envoy::extensions::filters::http::upstream_codec::v3::UpstreamCodec;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{HttpFilter, http_filter};
use envoy_types::pb::envoy::extensions::load_balancing_policies::least_request::v3::LeastRequest;
use envoy_types::pb::envoy::extensions::load_balancing_policies::override_host::v3::{
    OverrideHost, override_host::OverrideHostSource,
};
use envoy_types::pb::envoy::extensions::load_balancing_policies::subset::v3::{Subset, subset};
use envoy_types::pb::envoy::extensions::upstreams::http::v3::{HttpProtocolOptions, http_protocol_options};
use envoy_types::pb::envoy::r#type::matcher::v3::{StringMatcher, string_matcher::MatchPattern};
use envoy_types::pb::google::protobuf::Any;
use envoy_types::util::pack_any;
use kthena_core::wire;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::time::Duration;

pub(super) const HTTP_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// uvicorn closes idle connections after 5 s; a pooled one must not be reused as it goes.
const ENGINE_IDLE: Duration = Duration::from_secs(4);

/// The engines, vouched for by these authorities where they must be.
pub(super) fn engines(authorities: &BTreeSet<&str>) -> Resource {
    let source = cluster::EdsClusterConfig { eds_config: Some(ads()), service_name: ENGINES.to_owned() };
    let http1 = http_protocol_options::explicit_http_config::ProtocolConfig::HttpProtocolOptions(
        Http1ProtocolOptions::default(),
    );
    let options = HttpProtocolOptions {
        common_http_protocol_options: Some(CommonOptions { idle_timeout: duration(ENGINE_IDLE), ..Default::default() }),
        // Our headers go last: the route and the load balancer have read them by then.
        http_filters: vec![
            filter("header_mutation", pack_any(strip_ours())),
            filter("upstream_codec", pack_any(UpstreamCodec::default())),
        ],
        ..http_options(http1)
    };
    (
        ENGINES,
        Cluster {
            name: ENGINES.to_owned(),
            cluster_discovery_type: Some(cluster::ClusterDiscoveryType::Type(cluster::DiscoveryType::Eds.into())),
            eds_cluster_config: Some(source),
            connect_timeout: duration(Duration::from_secs(2)),
            load_balancing_policy: Some(policy("override_host", pack_any(override_host()))),
            circuit_breakers: Some(unlimited()),
            transport_socket_matches: tls::matches(authorities),
            transport_socket: Some(tls::trusts_nobody()),
            // As clients' connections (see the listener).
            per_connection_buffer_limit_bytes: uint32(256 << 10),
            typed_extension_protocol_options: HashMap::from([(HTTP_OPTIONS.to_owned(), pack_any(options))]),
            ..Default::default()
        },
    )
        .into()
}

/// A gRPC service of ours behind a Unix socket.
pub(super) fn grpc(name: &'static str, socket: &Path) -> Resource {
    let http2 = http_protocol_options::explicit_http_config::ProtocolConfig::Http2ProtocolOptions(
        Http2ProtocolOptions::default(),
    );
    let endpoint = LbEndpoint {
        host_identifier: Some(lb_endpoint::HostIdentifier::Endpoint(Endpoint {
            address: Some(pipe(socket)),
            ..Default::default()
        })),
        ..Default::default()
    };
    (
        name,
        Cluster {
            name: name.to_owned(),
            cluster_discovery_type: Some(cluster::ClusterDiscoveryType::Type(cluster::DiscoveryType::Static.into())),
            connect_timeout: duration(Duration::from_millis(250)),
            load_assignment: Some(ClusterLoadAssignment {
                cluster_name: name.to_owned(),
                endpoints: vec![LocalityLbEndpoints { lb_endpoints: vec![endpoint], ..Default::default() }],
                ..Default::default()
            }),
            circuit_breakers: Some(unlimited()),
            typed_extension_protocol_options: HashMap::from([(HTTP_OPTIONS.to_owned(), pack_any(http_options(http2)))]),
            ..Default::default()
        },
    )
        .into()
}

/// The picker's ordered list first; without one, the ModelServer's own endpoints by least request; never
/// an endpoint of another ModelServer.
fn override_host() -> OverrideHost {
    let own = Subset {
        fallback_policy: subset::LbSubsetFallbackPolicy::NoFallback.into(),
        subset_selectors: vec![subset::LbSubsetSelector { keys: vec![KEY.to_owned()], ..Default::default() }],
        list_as_any: true,
        subset_lb_policy: Some(policy("least_request", pack_any(LeastRequest::default()))),
        ..Default::default()
    };
    OverrideHost {
        override_host_sources: vec![OverrideHostSource { header: wire::DESTINATION.to_owned(), metadata: None }],
        fallback_policy: Some(policy("subset", pack_any(own))),
        ..Default::default()
    }
}

fn policy(name: &str, typed_config: Any) -> LoadBalancingPolicy {
    LoadBalancingPolicy {
        policies: vec![load_balancing_policy::Policy {
            typed_extension_config: Some(TypedExtensionConfig {
                name: format!("envoy.load_balancing_policies.{name}"),
                typed_config: Some(typed_config),
            }),
        }],
    }
}

fn strip_ours() -> HeaderMutation {
    let ours = [MatchPattern::Prefix(wire::PREFIX.to_owned()), MatchPattern::Exact(wire::DESTINATION.to_owned())];
    let remove = |pattern| {
        let key_matcher = Some(StringMatcher { match_pattern: Some(pattern), ..Default::default() });
        Mutation {
            action: Some(header_mutation::Action::RemoveOnMatch(header_mutation::RemoveOnMatch { key_matcher })),
        }
    };
    let request_mutations = ours.map(remove).to_vec();
    HeaderMutation { mutations: Some(Mutations { request_mutations, ..Default::default() }), ..Default::default() }
}

fn filter(name: &str, typed_config: Any) -> HttpFilter {
    HttpFilter {
        name: format!("envoy.filters.http.{name}"),
        config_type: Some(http_filter::ConfigType::TypedConfig(typed_config)),
        ..Default::default()
    }
}

pub(super) fn http_options(
    protocol: http_protocol_options::explicit_http_config::ProtocolConfig,
) -> HttpProtocolOptions {
    let explicit = http_protocol_options::ExplicitHttpConfig { protocol_config: Some(protocol) };
    HttpProtocolOptions {
        upstream_protocol_options: Some(http_protocol_options::UpstreamProtocolOptions::ExplicitHttpConfig(explicit)),
        ..Default::default()
    }
}

/// Envoy's defaults (1,024 connections and requests, 3 retries) would shed what the fleet can take: one
/// cluster carries every ModelServer, so its limits bound nothing that anyone configured.
fn unlimited() -> CircuitBreakers {
    let most = uint32(u32::MAX);
    let thresholds = [RoutingPriority::Default, RoutingPriority::High].map(|priority| Thresholds {
        priority: priority.into(),
        max_connections: most,
        max_pending_requests: most,
        max_requests: most,
        max_retries: most,
        ..Default::default()
    });
    CircuitBreakers { thresholds: thresholds.to_vec(), ..Default::default() }
}
