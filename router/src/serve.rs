//! Listening: Unix sockets for Envoy, loopback ports for people and Prometheus.

use anyhow::Context;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::{fs, io::ErrorKind};
use tokio::net::{TcpListener, UnixListener};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::service::Routes;
use tonic::transport::Server;

/// Takes over a Unix socket's path, whoever left it.
///
/// # Errors
/// The path cannot be bound; the error names it.
pub(crate) fn bind_unix(path: &Path) -> anyhow::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => UnixListener::bind(path),
    }
    .with_context(|| format!("socket {}", path.display()))
}

/// Takes a port.
///
/// # Errors
/// The address cannot be bound; the error names it and the flag that moves it.
pub(crate) async fn bind_tcp(address: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| in_use(address, flag, &error))
}

/// What to tell someone whose port is taken.
pub fn in_use(address: SocketAddr, flag: &str, error: &io::Error) -> anyhow::Error {
    anyhow::anyhow!("{address}: {error}; choose another address with {flag}")
}

/// Serves gRPC (and whatever else the routes hold) until `shutdown`.
pub(crate) async fn grpc(
    listener: UnixListener,
    routes: Routes,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    Server::builder()
        // hyper's default of 200 would make Envoy queue the 201st request in flight.
        .max_concurrent_streams(u32::MAX)
        // Clients that go away in numbers make Envoy reset as many streams: no attack, and no reason to end
        // the connection on which all others live. The peer is our own Envoy.
        .http2_max_pending_accept_reset_streams(Some(usize::from(u16::MAX)))
        // What a client may send, and what we add to it; hyper's default of 16 KiB is less.
        .http2_max_header_list_size(128 << 10)
        .add_routes(routes)
        .serve_with_incoming_shutdown(UnixListenerStream::new(listener), shutdown)
        .await?;
    Ok(())
}
