//! LDS: a listener for clients.

use super::{NAME, access_log, ads, duration, filters, replies, secret, socket_address, tracing, uint32};
use crate::data_plane::Listener as Described;
use crate::tracing::Tracing;
use crate::xds::Resource;
use envoy_types::pb::envoy::config::core::v3::{Http2ProtocolOptions, HttpProtocolOptions};
use envoy_types::pb::envoy::config::listener::v3::{Filter, FilterChain, Listener, filter};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpConnectionManager, Rds, http_connection_manager::RouteSpecifier,
};
use envoy_types::pb::google::protobuf::BoolValue;
use envoy_types::util::pack_any;
use kthena_core::config::DEFAULT_STREAM_IDLE_TIMEOUT;
use kthena_core::session::{MAX_HEADER_BYTES, MAX_HEADERS};

/// KiB of a request's headers, and their number; 431 beyond. What clients may send, the filter says: ext_proc measures
/// all headers once more when the picker has answered, and fails where the filter's own (some 6 KB with a long prompt's hash
/// chain, sixteen) and Envoy's have no room beside the client's.
const HEADERS_KB: u32 = (MAX_HEADER_BYTES >> 10) as u32 + 10;
const HEADERS_COUNT: u32 = MAX_HEADERS as u32 + 32;

/// Bytes that wait to be read or written on a connection before the other side is told to wait. Events are small, and a
/// client that does not read costs this and what the kernel holds. What the filter holds back of a body is bounded
/// apart from that, by the routes.
const CONNECTION_BUFFER: u32 = 256 << 10;

/// HTTP/2 streams of a connection. A gateway in front sends many clients' over few connections, so it is far above
/// what one client has; whoever wants more opens another.
const STREAMS: u32 = 1000;

/// How much of a body may be under way: at 1 MiB and 50 ms a client sends 20 MB/s.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 8 << 20;

pub(super) fn render(listener: &Described, traced: Option<&Tracing>) -> Resource {
    let manager = HttpConnectionManager {
        stat_prefix: listener.name.clone(),
        route_specifier: Some(RouteSpecifier::Rds(Rds {
            config_source: Some(ads()),
            route_config_name: NAME.to_owned(),
        })),
        http_filters: filters::chain(),
        local_reply_config: Some(replies::config()),
        access_log: vec![access_log::logger(traced.is_some())],
        use_remote_address: Some(BoolValue { value: true }),
        normalize_path: Some(BoolValue { value: true }),
        merge_slashes: true,
        // A client's own id is what it will look for in the logs, and what engines name their answers by.
        preserve_external_request_id: true,
        always_set_request_id_in_response: true,
        request_id_extension: traced.map(|_| tracing::request_ids()),
        tracing: traced.map(tracing::of_requests),
        // Of what has no route yet: every route has its own.
        stream_idle_timeout: duration(DEFAULT_STREAM_IDLE_TIMEOUT),
        request_headers_timeout: duration(listener.patience.headers),
        request_timeout: duration(listener.patience.request),
        max_request_headers_kb: uint32(HEADERS_KB),
        common_http_protocol_options: Some(HttpProtocolOptions {
            idle_timeout: duration(listener.patience.connection_idle),
            max_headers_count: uint32(HEADERS_COUNT),
            ..Default::default()
        }),
        http2_protocol_options: Some(Http2ProtocolOptions {
            max_concurrent_streams: uint32(STREAMS),
            initial_stream_window_size: uint32(STREAM_WINDOW),
            initial_connection_window_size: uint32(CONNECTION_WINDOW),
            ..Default::default()
        }),
        ..Default::default()
    };
    (
        listener.name.as_str(),
        Listener {
            name: listener.name.clone(),
            address: Some(socket_address(listener.address)),
            per_connection_buffer_limit_bytes: uint32(CONNECTION_BUFFER),
            enable_reuse_port: listener.exclusive.then_some(BoolValue { value: false }),
            filter_chains: vec![FilterChain {
                filters: vec![Filter {
                    name: "envoy.filters.network.http_connection_manager".to_owned(),
                    config_type: Some(filter::ConfigType::TypedConfig(pack_any(manager))),
                }],
                transport_socket: listener.tls.as_ref().map(|_| secret::transport_socket()),
                ..Default::default()
            }],
            ..Default::default()
        },
    )
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;
    use std::net::SocketAddr;

    /// The rendered `enable_reuse_port`.
    fn reuse_port(exclusive: bool) -> Option<bool> {
        let address = SocketAddr::from(([127, 0, 0, 1], 8080));
        let patience = Default::default();
        let described = Described { name: "it".to_owned(), address, exclusive, tls: None, patience };
        let rendered = render(&described, None);
        let listener: Listener = Message::decode(rendered.body.value.as_slice()).unwrap();
        listener.enable_reuse_port.map(|shared| shared.value)
    }

    #[test]
    fn only_an_exclusive_listener_keeps_others_from_its_port() {
        assert_eq!(reuse_port(true), Some(false));
        assert_eq!(reuse_port(false), None);
    }
}
