//! The socket: accepts connections, serves them, and ends as vLLM does on SIGTERM.

mod connection;
mod plug;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use axum::Router;
use axum::http::HeaderValue;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, info, warn};

use crate::catalog::Catalog;
use crate::engine::{Engine, Sleep};
use crate::faults::Faults;
use crate::http::{self, App};
use crate::options::Options;
pub use plug::{Plug, Pull};

/// A simulated engine that listens, and answers once [`Simulator::serve`] runs.
///
/// Split in two so that whoever asks for port 0 can learn the port before the first request.
#[derive(Debug)]
pub struct Simulator {
    listener: TcpListener,
    address: SocketAddr,
    keep_alive: Duration,
    shutdown_timeout: Duration,
    tls: Option<Arc<ServerConfig>>,
    engine: Arc<Engine>,
    faults: Arc<Faults>,
    router: Router,
}

/// How long clients have, once told that the engine stopped, to read so much of it.
const GRACE: Duration = Duration::from_secs(1);

/// After a failed accept: out of file descriptors, most likely, which only time mends.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

// === impl Simulator ===

impl Simulator {
    /// Checks the options and takes the port. Connections queue from here on.
    ///
    /// # Errors
    ///
    /// An option that cannot be served, or a port that cannot be had; the message names it.
    pub async fn bind(options: Options) -> anyhow::Result<Self> {
        let tls = tls::config(&options.tls)?;
        let catalog = Catalog::new(&options.models, &options.loras)?;
        let engine = options.engine()?;
        ensure!(!options.keep_alive.is_zero(), "--keep-alive: a duration above 0 is needed");
        let listener =
            TcpListener::bind(options.listen).await.with_context(|| format!("cannot listen on {}", options.listen))?;
        let address = listener.local_addr().context("cannot read the listening address")?;
        let name = options.name.unwrap_or_else(|| address.to_string());
        let name_header = HeaderValue::from_str(&name)
            .with_context(|| format!("--name {name:?}: a header cannot carry this text"))?;
        let engine = Arc::new(Engine::new(engine));
        let faults = Arc::new(Faults::new(options.seed));
        faults.arm(options.manners.faults.clone(), Instant::now()).context("--fault")?;
        let app = App::new(
            Arc::clone(&engine),
            catalog,
            options.manners,
            Arc::clone(&faults),
            name,
            name_header,
            options.seed,
        );
        let router = http::router(Arc::new(app));
        let Options { keep_alive, shutdown_timeout, .. } = options;
        Ok(Self { listener, address, keep_alive, shutdown_timeout, tls, engine, faults, router })
    }

    /// The address that was taken; its port is never 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests until `shutdown` completes, then ends as vLLM does on SIGTERM.
    ///
    /// Without `--shutdown-timeout` the port closes at once, streams get an error event and `[DONE]`,
    /// whole answers become 500; it returns when every connection is closed, after a second at most. With
    /// one, new requests get a 500 for so long; then the port closes, and what is not done hangs until
    /// its clients leave.
    ///
    /// # Errors
    ///
    /// None at present: what fails for one connection ends that connection only.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send + 'static) -> anyhow::Result<()> {
        let Self { listener, address, keep_alive, shutdown_timeout, tls, engine, faults, router } = self;
        let mut listener = Some(listener);
        let mut connections = JoinSet::new();
        let mut changed = faults.changed();
        tokio::pin!(shutdown);
        let mut ends = None;
        loop {
            let refusing = faults.refusing(Instant::now());
            if refusing.is_some() {
                listener = None;
            } else if listener.is_none() {
                listener = listen_again(address).await;
            }
            tokio::select! {
                biased;
                () = &mut shutdown, if ends.is_none() => {
                    if shutdown_timeout.is_zero() {
                        break;
                    }
                    engine.refuse();
                    ends = Some(Instant::now() + shutdown_timeout);
                }
                () = until(ends), if ends.is_some() => break,
                Some(_) = connections.join_next() => {}
                // The store of faults lives as long as this does.
                _ = changed.changed() => {}
                () = until(refusing.flatten()), if refusing.is_some() => {}
                () = std::future::ready(()), if refusing.is_none() && listener.is_none() => {}
                accepted = accept(listener.as_ref()) => match accepted {
                    Ok((stream, _)) => {
                        let (router, stopped) = (router.clone(), engine.stopped());
                        connections.spawn(serve_one(stream, tls.clone(), router, keep_alive, stopped));
                    }
                    Err(error) => {
                        warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
        drop(listener);
        if ends.is_some() {
            // Asleep, it gives no more tokens.
            engine.set_sleep(Sleep::WeightsOffloaded);
            while connections.join_next().await.is_some() {}
            return Ok(());
        }
        engine.stop();
        let drained = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, drained).await.is_err() {
            connections.shutdown().await;
        }
        Ok(())
    }
}

/// Binds and serves until `shutdown` completes; see [`Simulator::serve`].
///
/// # Errors
///
/// As [`Simulator::bind`].
pub async fn serve(options: Options, shutdown: impl Future<Output = ()> + Send + 'static) -> anyhow::Result<()> {
    let models = options.models.join(", ");
    let simulator = Simulator::bind(options).await?;
    let scheme = if simulator.tls.is_some() { "https" } else { "http" };
    info!("a simulated engine serves {models} on {scheme}://{}", simulator.local_addr());
    simulator.serve(shutdown).await
}

/// Binds and serves until SIGTERM or Ctrl-C: what the binary does with its flags.
///
/// # Errors
///
/// As [`Simulator::bind`], or signals cannot be listened for.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    serve(options, async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
    .await
}

/// Serves one client, whose hello may take its time.
async fn serve_one(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    router: Router,
    keep_alive: Duration,
    stopped: impl Future<Output = ()>,
) {
    let Some(tls) = tls else { return connection::serve(stream, router, keep_alive, stopped).await };
    match TlsAcceptor::from(tls).accept(stream).await {
        Ok(stream) => connection::serve(stream, router, keep_alive, stopped).await,
        Err(error) => debug!(%error, "a client did not agree on TLS"),
    }
}

/// Waits for ever for a time that never comes.
async fn until(end: Option<Instant>) {
    match end {
        Some(end) => tokio::time::sleep_until(end.into()).await,
        None => std::future::pending().await,
    }
}

/// Without a listener, nobody comes.
async fn accept(listener: Option<&TcpListener>) -> std::io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

/// Takes back a port that was given up.
async fn listen_again(address: SocketAddr) -> Option<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Some(listener),
        Err(error) => {
            warn!(%error, "cannot listen on {address} again yet");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}
