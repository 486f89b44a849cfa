//! LDS: a listener for clients.

use super::{NAME, access_log, ads, duration, filters, replies, secret, socket_address};
use crate::data_plane::Listener as Described;
use crate::xds::Resource;
use envoy_types::pb::envoy::config::listener::v3::{Filter, FilterChain, Listener, filter};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpConnectionManager, Rds, http_connection_manager::RouteSpecifier,
};
use envoy_types::pb::google::protobuf::BoolValue;
use envoy_types::util::pack_any;
use kthena_core::config::DEFAULT_STREAM_IDLE_TIMEOUT;
use std::time::Duration;

/// How long a stream may be silent that has no route yet; every route has a time of its own.
const STREAM_IDLE: Duration = DEFAULT_STREAM_IDLE_TIMEOUT;

/// How long a client may take to send its headers.
const HEADERS: Duration = Duration::from_secs(10);

pub(super) fn render(listener: &Described) -> Resource {
    let manager = HttpConnectionManager {
        stat_prefix: listener.name.clone(),
        route_specifier: Some(RouteSpecifier::Rds(Rds {
            config_source: Some(ads()),
            route_config_name: NAME.to_owned(),
        })),
        http_filters: filters::chain(),
        local_reply_config: Some(replies::config()),
        access_log: vec![access_log::logger()],
        use_remote_address: Some(BoolValue { value: true }),
        normalize_path: Some(BoolValue { value: true }),
        merge_slashes: true,
        // A client's own id is what it will look for in the logs, and what engines name their answers by.
        preserve_external_request_id: true,
        always_set_request_id_in_response: true,
        stream_idle_timeout: duration(STREAM_IDLE),
        request_headers_timeout: duration(HEADERS),
        ..Default::default()
    };
    (
        listener.name.as_str(),
        Listener {
            name: listener.name.clone(),
            address: Some(socket_address(listener.address)),
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
        let rendered = render(&Described { name: "it".to_owned(), address, exclusive, tls: None });
        let listener: Listener = Message::decode(rendered.body.value.as_slice()).unwrap();
        listener.enable_reuse_port.map(|shared| shared.value)
    }

    #[test]
    fn only_an_exclusive_listener_keeps_others_from_its_port() {
        assert_eq!(reuse_port(true), Some(false));
        assert_eq!(reuse_port(false), None);
    }
}
