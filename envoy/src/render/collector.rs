//! CDS: the collector that spans go to.

use super::clusters::{HTTP_OPTIONS, http_options};
use super::{OTLP, duration, socket_address, uint32};
use crate::tracing::Collector;
use crate::xds::Resource;
use envoy_types::pb::envoy::config::cluster::v3::{CircuitBreakers, Cluster, circuit_breakers::Thresholds, cluster};
use envoy_types::pb::envoy::config::core::v3::{
    Address, DataSource, Http2ProtocolOptions, SocketAddress, TransportSocket, address, data_source,
    socket_address as socket, transport_socket,
};
use envoy_types::pb::envoy::config::endpoint::v3::{
    ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints, lb_endpoint,
};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, CommonTlsContext, SubjectAltNameMatcher, TlsParameters, UpstreamTlsContext,
    common_tls_context::ValidationContextType, subject_alt_name_matcher::SanType, tls_parameters::TlsProtocol,
};
use envoy_types::pb::envoy::extensions::upstreams::http::v3::http_protocol_options;
use envoy_types::pb::envoy::r#type::matcher::v3::{StringMatcher, string_matcher::MatchPattern};
use envoy_types::util::pack_any;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// Exports under way, and those that wait. A collector that hangs holds each of them for five seconds; what comes then is
/// dropped.
const EXPORTS: u32 = 64;

/// Where spans go.
pub(super) fn render(collector: &Collector) -> Resource {
    let ip: Option<IpAddr> = collector.host.parse().ok();
    let address = match ip {
        Some(ip) => socket_address((ip, collector.port).into()),
        None => Address {
            address: Some(address::Address::SocketAddress(SocketAddress {
                address: collector.host.clone(),
                port_specifier: Some(socket::PortSpecifier::PortValue(collector.port.into())),
                ..Default::default()
            })),
        },
    };
    let kind = if ip.is_some() { cluster::DiscoveryType::Static } else { cluster::DiscoveryType::StrictDns };
    let http2 = http_protocol_options::explicit_http_config::ProtocolConfig::Http2ProtocolOptions(
        Http2ProtocolOptions::default(),
    );
    let endpoint = LbEndpoint {
        host_identifier: Some(lb_endpoint::HostIdentifier::Endpoint(Endpoint {
            address: Some(address),
            ..Default::default()
        })),
        ..Default::default()
    };
    let bounds =
        Thresholds { max_requests: uint32(EXPORTS), max_pending_requests: uint32(EXPORTS), ..Default::default() };
    (
        OTLP,
        Cluster {
            name: OTLP.to_owned(),
            cluster_discovery_type: Some(cluster::ClusterDiscoveryType::Type(kind.into())),
            // `localhost` has two, of which one may not be listened at.
            dns_lookup_family: cluster::DnsLookupFamily::All.into(),
            connect_timeout: duration(Duration::from_secs(2)),
            load_assignment: Some(ClusterLoadAssignment {
                cluster_name: OTLP.to_owned(),
                endpoints: vec![LocalityLbEndpoints { lb_endpoints: vec![endpoint], ..Default::default() }],
                ..Default::default()
            }),
            circuit_breakers: Some(CircuitBreakers { thresholds: vec![bounds], ..Default::default() }),
            transport_socket: collector.tls.as_ref().map(|tls| {
                let path = tls.authorities.display().to_string();
                verified(&collector.host, ip.is_some(), path)
            }),
            typed_extension_protocol_options: HashMap::from([(HTTP_OPTIONS.to_owned(), pack_any(http_options(http2)))]),
            ..Default::default()
        },
    )
        .into()
}

/// TLS whose certificate is for that host, by one of the authorities in the file.
fn verified(host: &str, is_ip: bool, authorities: String) -> TransportSocket {
    let exact = StringMatcher { match_pattern: Some(MatchPattern::Exact(host.to_owned())), ..Default::default() };
    let san = if is_ip { SanType::IpAddress } else { SanType::Dns };
    let validation = CertificateValidationContext {
        trusted_ca: Some(DataSource {
            specifier: Some(data_source::Specifier::Filename(authorities)),
            ..Default::default()
        }),
        match_typed_subject_alt_names: vec![SubjectAltNameMatcher {
            san_type: san.into(),
            matcher: Some(exact),
            ..Default::default()
        }],
        ..Default::default()
    };
    let common = CommonTlsContext {
        tls_params: Some(TlsParameters {
            tls_minimum_protocol_version: TlsProtocol::TlSv12.into(),
            tls_maximum_protocol_version: TlsProtocol::TlSv13.into(),
            ..Default::default()
        }),
        alpn_protocols: vec!["h2".to_owned()],
        validation_context_type: Some(ValidationContextType::ValidationContext(validation)),
        ..Default::default()
    };
    let sni = if is_ip { String::new() } else { host.to_owned() };
    let context = UpstreamTlsContext { common_tls_context: Some(common), sni, ..Default::default() };
    TransportSocket {
        name: "envoy.transport_sockets.tls".to_owned(),
        config_type: Some(transport_socket::ConfigType::TypedConfig(pack_any(context))),
    }
}
