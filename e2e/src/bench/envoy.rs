//! What our data plane is compared with: an Envoy that only proxies.
//!
//! The same binary and number of workers, the same bounds and options of the listener; round robin over the same
//! engines; no filter but the router, no endpoint picker, no access log, no retries.

use crate::pod::CAPACITY;
use crate::until::{READY, within};
use crate::{Client, Loopback, envoy, scratch, spawn};
use kthena_core::session::{MAX_HEADER_BYTES, MAX_HEADERS};
use kthena_envoy::{Sockets, bootstrap::bootstrap};
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use tempfile::TempDir;

/// It; dropping it ends it.
#[derive(Debug)]
pub struct PlainEnvoy {
    address: Loopback,
    process: Child,
    _directory: TempDir,
}

// === impl PlainEnvoy ===

impl PlainEnvoy {
    /// Starts it before engines at these addresses, with so many workers, and waits until it serves.
    ///
    /// # Panics
    /// When it does not.
    pub async fn start(engines: &[String], workers: usize) -> Self {
        let directory = scratch::directory();
        let address = Loopback::claim(&[8080, 9901]);
        let config = directory.path().join("envoy.json");
        let sockets = Sockets::in_directory(directory.path());
        let mut value = bootstrap("plain", address.at(9901), &sockets, CAPACITY, false);
        // What it would ask the router for is in the file.
        value["dynamic_resources"] = json!({});
        value["static_resources"] = json!({"listeners": [listener(address.at(8080))], "clusters": [cluster(engines)]});
        fs::write(&config, value.to_string()).expect("a configuration");
        let process = spawn(&envoy(), |command| {
            command.arg("-c").arg(&config).args(["--disable-hot-restart", "--concurrency"]).arg(workers.to_string());
            command.args(["--log-level", "error"]);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
        });
        let plain = Self { address, process, _directory: directory };
        let client = Client::new(plain.address());
        within(READY, "plain Envoy to serve", async || {
            client.try_get("/v1/models").await.ok().filter(|answer| answer.status == 200)
        })
        .await;
        plain
    }

    /// Where clients ask.
    pub fn address(&self) -> SocketAddr {
        self.address.at(8080)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for PlainEnvoy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn socket(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip(), "port_value": address.port()}})
}

/// The twin of `envoy/src/render/listener.rs`.
fn listener(address: SocketAddr) -> Value {
    let router = json!({
        "name": "envoy.filters.http.router",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
            "suppress_envoy_headers": true,
        },
    });
    let manager = json!({
        "@type":
            "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "plain",
        "route_config": {"virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "engines", "timeout": "0s"}}],
        }]},
        "http_filters": [router],
        "use_remote_address": true,
        "normalize_path": true,
        "merge_slashes": true,
        "preserve_external_request_id": true,
        "always_set_request_id_in_response": true,
        "stream_idle_timeout": "300s",
        "request_headers_timeout": "10s",
        "request_timeout": "300s",
        "max_request_headers_kb": (MAX_HEADER_BYTES >> 10) + 10,
        "common_http_protocol_options": {"idle_timeout": "660s", "max_headers_count": MAX_HEADERS + 32},
        "http2_protocol_options": {
            "max_concurrent_streams": 1000,
            "initial_stream_window_size": 1 << 20,
            "initial_connection_window_size": 8 << 20,
        },
    });
    json!({
        "name": "plain",
        "address": socket(address),
        "per_connection_buffer_limit_bytes": 256 << 10,
        "filter_chains": [{"filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": manager,
        }]}],
    })
}

/// The twin of what `envoy/src/render/clusters.rs` has for engines.
fn cluster(engines: &[String]) -> Value {
    let endpoint =
        |ip: &String| json!({"endpoint": {"address": {"socket_address": {"address": ip, "port_value": 8000}}}});
    let most = json!({
        "max_connections": u32::MAX,
        "max_pending_requests": u32::MAX,
        "max_requests": u32::MAX,
        "max_retries": u32::MAX,
    });
    json!({
        "name": "engines",
        "type": "STATIC",
        "connect_timeout": "2s",
        "lb_policy": "ROUND_ROBIN",
        "circuit_breakers": {"thresholds": [most]},
        "per_connection_buffer_limit_bytes": 256 << 10,
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "common_http_protocol_options": {"idle_timeout": "4s"},
            "explicit_http_config": {"http_protocol_options": {}},
        }},
        "load_assignment": {
            "cluster_name": "engines",
            "endpoints": [{"lb_endpoints": engines.iter().map(endpoint).collect::<Vec<_>>()}],
        },
    })
}
