//! How Envoy speaks to each engine: the endpoint's metadata names one of the engine cluster's transport sockets.
//!
//! What no name fits (an endpoint that comes a moment before the cluster that knows its authority) is spoken to by a
//! socket that trusts nobody: never in the clear, never unverified.
//!
//! Server names travel with the endpoints, so that the cluster changes only with the authorities, and a socket is named
//! by its authority's digest: no endpoint is ever checked against another one's, in whatever order updates arrive.

use envoy_types::pb::envoy::config::cluster::v3::cluster::TransportSocketMatch;
use envoy_types::pb::envoy::config::core::v3::{DataSource, TransportSocket, data_source, transport_socket};
use envoy_types::pb::envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, CommonTlsContext, TlsParameters, UpstreamTlsContext,
    common_tls_context::ValidationContextType, tls_parameters::TlsProtocol,
};
use envoy_types::pb::google::protobuf::{Any, Struct, Value, value::Kind};
use envoy_types::util::pack_any;
use kthena_core::engine::Transport;
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;

use super::uint32;

/// The namespace of an endpoint's metadata by which Envoy chooses its transport socket.
pub(super) const NAMESPACE: &str = "envoy.transport_socket_match";
/// The key under [`NAMESPACE`].
const KEY: &str = "socket";

/// The metadata of an endpoint that is spoken to so.
pub(super) fn tag(transport: &Transport) -> Struct {
    named(socket(transport))
}

/// The locality of an endpoint that is spoken to so.
///
/// With new metadata alone, a host's pooled connections are used on for as long as they are busy (seen on Envoy 1.40):
/// made on the terms of before, unverified where it must be verified now. At another locality it is another host, with
/// connections of its own. Nothing else goes by localities here.
pub(super) fn locality(transport: &Transport) -> String {
    match transport.trust() {
        None => socket(transport),
        Some(trust) => format!("{}/{}", socket(transport), trust.server_name),
    }
}

/// The name of the socket of an endpoint.
fn socket(transport: &Transport) -> String {
    match transport {
        Transport::Plain => "plain".to_owned(),
        Transport::Unverified => "unverified".to_owned(),
        Transport::Verified(trust) => digest(&trust.ca),
    }
}

/// The metadata that names a socket.
fn named(socket: String) -> Struct {
    Struct { fields: HashMap::from([(KEY.to_owned(), Value { kind: Some(Kind::StringValue(socket)) })]) }
}

/// The sockets that [`tag`] names, these authorities among them.
pub(super) fn matches(authorities: &BTreeSet<&str>) -> Vec<TransportSocketMatch> {
    let socket = |name: String, config| TransportSocketMatch {
        r#match: Some(named(name.clone())),
        name,
        transport_socket: Some(config),
    };
    let plain = TransportSocket {
        name: "envoy.transport_sockets.raw_buffer".to_owned(),
        config_type: Some(transport_socket::ConfigType::TypedConfig(pack_any(RawBuffer {}))),
    };
    let mut matches = vec![socket("plain".to_owned(), plain), socket("unverified".to_owned(), tls(None, false))];
    matches.extend(authorities.iter().map(|ca| {
        let source = DataSource {
            specifier: Some(data_source::Specifier::InlineString((*ca).to_owned())),
            ..Default::default()
        };
        let authority = CertificateValidationContext { trusted_ca: Some(source), ..Default::default() };
        socket(digest(ca), tls(Some(authority), true))
    }));
    matches
}

/// Speaks to nobody: no certificate has this digest.
pub(super) fn trusts_nobody() -> TransportSocket {
    let nobody = CertificateValidationContext { verify_certificate_hash: vec!["00".repeat(32)], ..Default::default() };
    tls(Some(nobody), false)
}

/// With `named`, the endpoint's host name is told, and the certificate must be for it.
fn tls(validation: Option<CertificateValidationContext>, named: bool) -> TransportSocket {
    let common = CommonTlsContext {
        tls_params: Some(TlsParameters {
            tls_minimum_protocol_version: TlsProtocol::TlSv12.into(),
            tls_maximum_protocol_version: TlsProtocol::TlSv13.into(),
            ..Default::default()
        }),
        validation_context_type: validation.map(ValidationContextType::ValidationContext),
        ..Default::default()
    };
    let context = UpstreamTlsContext {
        common_tls_context: Some(common),
        auto_host_sni: named,
        auto_sni_san_validation: named,
        // A resumed session is not verified again, and one socket serves endpoints of several names.
        max_session_keys: uint32(0),
        ..Default::default()
    };
    let config: Any = pack_any(context);
    TransportSocket {
        name: "envoy.transport_sockets.tls".to_owned(),
        config_type: Some(transport_socket::ConfigType::TypedConfig(config)),
    }
}

/// The name of an authority's socket.
fn digest(ca: &str) -> String {
    Sha256::digest(ca.as_bytes()).iter().fold("ca-".to_owned(), |mut name, byte| {
        // Writing to a String cannot fail.
        let _ = write!(name, "{byte:02x}");
        name
    })
}
