//! The little that Envoy must know before it can ask for the rest.

use crate::render::Sockets;
use serde_json::{Value, json};
use std::net::SocketAddr;

/// Envoy's bootstrap, as the JSON that `envoy --config-yaml` or a file takes.
///
/// The admin address is for people on this machine: whoever reaches it can stop Envoy.
pub fn bootstrap(node: &str, admin: SocketAddr, sockets: &Sockets) -> Value {
    json!({
        "node": { "id": node, "cluster": "kthena" },
        "admin": { "address": { "socket_address": { "address": admin.ip(), "port_value": admin.port() } } },
        "dynamic_resources": {
            "lds_config": { "ads": {}, "resource_api_version": "V3" },
            "cds_config": { "ads": {}, "resource_api_version": "V3" },
            "ads_config": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{ "envoy_grpc": { "cluster_name": "xds" } }],
                "set_node_on_first_message_only": true,
            },
        },
        "static_resources": { "clusters": [{
            "name": "xds",
            "type": "STATIC",
            "connect_timeout": "0.25s",
            "typed_extension_protocol_options": {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                    // The keepalive notices a control plane that hangs without closing its socket.
                    "explicit_http_config": { "http2_protocol_options": {
                        "connection_keepalive": { "interval": "30s", "timeout": "5s" },
                    } },
                },
            },
            "load_assignment": { "cluster_name": "xds", "endpoints": [{ "lb_endpoints": [{
                "endpoint": { "address": { "pipe": { "path": sockets.xds } } },
            }] }] },
        }] },
        "layered_runtime": { "layers": [{
            "name": "static",
            "static_layer": {
                // One listener faces clients; what bounds it is the kernel's file limit and our own bodies' limit.
                "envoy.resource_limits.listener.kthena.connection_limit": 50000,
            },
        }] },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn envoy_is_told_its_admin_address_and_where_xds_is() {
        let sockets = Sockets::in_directory(Path::new("/run/kthena"));
        let value = bootstrap("router-1", "127.0.0.1:9901".parse().unwrap(), &sockets);
        assert_eq!(value["admin"]["address"]["socket_address"], json!({"address": "127.0.0.1", "port_value": 9901}));
        let endpoint = &value["static_resources"]["clusters"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"][0];
        assert_eq!(endpoint["endpoint"]["address"]["pipe"]["path"], "/run/kthena/xds.sock");
    }
}
