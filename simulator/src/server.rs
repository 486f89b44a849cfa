//! The socket: accepts connections, serves them, and ends as vLLM does on SIGTERM.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use axum::Router;
use axum::http::HeaderValue;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use crate::catalog::Catalog;
use crate::engine::Engine;
use crate::http::{self, App};
use crate::options::Options;

/// A simulated engine that listens, and answers once [`Simulator::serve`] runs.
///
/// Split in two so that whoever asks for port 0 can learn the port before the first request.
#[derive(Debug)]
pub struct Simulator {
    listener: TcpListener,
    address: SocketAddr,
    keep_alive: Duration,
    engine: Arc<Engine>,
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
        let app = App::new(Arc::clone(&engine), catalog, name, name_header, options.seed);
        Ok(Self { listener, address, keep_alive: options.keep_alive, engine, router: http::router(Arc::new(app)) })
    }

    /// The address that was taken; its port is never 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests until `shutdown` completes, then ends as vLLM does on SIGTERM without
    /// `--shutdown-timeout`: the port closes at once, streams get an error event and `[DONE]`,
    /// whole answers become 500. Returns when every connection is closed, after a second at most.
    ///
    /// # Errors
    ///
    /// None at present: what fails for one connection ends that connection only.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send + 'static) -> anyhow::Result<()> {
        let Self { listener, keep_alive, engine, router, .. } = self;
        let mut connections = JoinSet::new();
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(connection(stream, router.clone(), keep_alive, engine.stopped()));
                    }
                    Err(error) => {
                        warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
        drop(listener);
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
    info!("a simulated engine serves {models} on http://{}", simulator.local_addr());
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

async fn connection(stream: TcpStream, router: Router, keep_alive: Duration, stopped: impl Future<Output = ()>) {
    // Tokens are small and must not wait for one another.
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "cannot set TCP_NODELAY");
    }
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // Runs from the end of an answer too, so it is also what closes an idle connection.
        .header_read_timeout(keep_alive)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stopped => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "a connection ended early");
    }
}
