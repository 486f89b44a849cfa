//! The little that Envoy must know before it can ask for the rest.

use crate::bounds::Capacity;
use crate::render::Sockets;
use serde_json::{Value, json};
use std::net::SocketAddr;

const HEAP: &str = "envoy.resource_monitors.fixed_heap";
const CONNECTIONS: &str = "envoy.resource_monitors.global_downstream_max_connections";

/// Envoy's bootstrap, as the JSON that `envoy --config-yaml` or a file takes.
///
/// The admin address is for people on this machine: whoever reaches it can stop Envoy. It is served whatever else is
/// refused.
///
/// `traced`: whether spans are made, which are then sent once a second, or when there are many.
pub fn bootstrap(node: &str, admin: SocketAddr, sockets: &Sockets, capacity: Capacity, traced: bool) -> Value {
    let mut bootstrap = json!({
        "node": { "id": node, "cluster": "kthena" },
        "admin": {
            "address": { "socket_address": { "address": admin.ip(), "port_value": admin.port() } },
            "ignore_global_conn_limit": true,
        },
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
        "overload_manager": overload_manager(capacity),
    });
    if traced && let Some(bootstrap) = bootstrap.as_object_mut() {
        bootstrap.insert("layered_runtime".to_owned(), runtime());
    }
    bootstrap
}

/// By default each worker sends its spans five at a time, or every five seconds. The admin's layer is what there is by default.
fn runtime() -> Value {
    json!({ "layers": [
        { "name": "tracing", "static_layer": {
            "tracing.opentelemetry.min_flush_spans": 256,
            "tracing.opentelemetry.flush_interval_ms": 1000,
        } },
        { "name": "admin", "admin_layer": {} },
    ] })
}

/// What is done about more than there is room for: first what nobody notices, then a few, then whoever is new.
fn overload_manager(Capacity { heap, connections }: Capacity) -> Value {
    let at = |threshold: f64| json!([{ "name": HEAP, "threshold": { "value": threshold } }]);
    json!({
        "refresh_interval": "0.25s",
        // Streams are told apart by what they hold from 1 MiB on: those are the ones that are reset first.
        "buffer_factory_config": { "minimum_account_to_track_power_of_two": 20 },
        "resource_monitors": [
            { "name": HEAP, "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
                "max_heap_size_bytes": heap,
            } },
            { "name": CONNECTIONS, "typed_config": {
                "@type":
                    "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                "max_active_downstream_connections": connections,
            } },
        ],
        "actions": [
            { "name": "envoy.overload_actions.shrink_heap", "triggers": at(0.90) },
            { "name": "envoy.overload_actions.disable_http_keepalive", "triggers": at(0.92) },
            { "name": "envoy.overload_actions.stop_accepting_requests", "triggers": at(0.95) },
            { "name": "envoy.overload_actions.reset_high_memory_stream", "triggers": [
                { "name": HEAP, "scaled": { "scaling_threshold": 0.95, "saturation_threshold": 1.0 } },
            ] },
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn envoy_is_told_its_admin_address_where_xds_is_and_its_bounds() {
        let sockets = Sockets::in_directory(Path::new("/run/kthena"));
        let capacity = Capacity { heap: 1 << 30, connections: 7 };
        let value = bootstrap("router-1", "127.0.0.1:9901".parse().unwrap(), &sockets, capacity, false);
        assert_eq!(value["admin"]["address"]["socket_address"], json!({"address": "127.0.0.1", "port_value": 9901}));
        let endpoint = &value["static_resources"]["clusters"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"][0];
        assert_eq!(endpoint["endpoint"]["address"]["pipe"]["path"], "/run/kthena/xds.sock");
        let [heap, connections] = [0, 1].map(|at| &value["overload_manager"]["resource_monitors"][at]["typed_config"]);
        assert_eq!(heap["max_heap_size_bytes"], 1 << 30);
        assert_eq!(connections["max_active_downstream_connections"], 7);
        assert_eq!(value.get("layered_runtime"), None);
    }
}
