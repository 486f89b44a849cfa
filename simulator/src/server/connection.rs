//! One client's connection.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tracing::debug;

use super::plug::{Plug, Plugged, Pull};

/// No HTTP, and no end of line for a parser to stop at.
const GARBAGE: &[u8] = b"\x16\x03\x01 this is no HTTP \x00\xff\xfe";

/// A connection, in the clear or not.
pub trait Wire: AsyncRead + AsyncWrite + Unpin {
    /// The socket below.
    fn socket(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Wire for TlsStream<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// Serves a connection until it is idle for too long, the engine stops, or a fault pulls its plug.
pub async fn serve(stream: impl Wire, router: Router, keep_alive: Duration, stopped: impl Future<Output = ()>) {
    // Tokens are small and must not wait for one another.
    if let Err(error) = stream.socket().set_nodelay(true) {
        debug!(%error, "cannot set TCP_NODELAY");
    }
    let plug = Plug::default();
    let mut pulls = plug.receiver();
    let mut connection = http1::Builder::new()
        // Engines' parsers bound the bytes only.
        .max_headers(1000)
        .timer(TokioTimer::new())
        // Runs from the end of an answer too, so it is also what closes an idle connection.
        .header_read_timeout(keep_alive)
        .serve_connection(TokioIo::new(stream), Plugged::new(router, plug));
    let mut stopped = pin!(stopped);
    let mut stopping = false;
    let ended = loop {
        tokio::select! {
            // The connection first: what was written before a pull is on its way then.
            biased;
            ended = &mut connection => break ended,
            pull = Plug::pulled(&mut pulls) => match pull {
                Pull::AfterAnswer => Pin::new(&mut connection).graceful_shutdown(),
                at_once => return end(connection.into_parts().io.into_inner(), at_once).await,
            },
            () = &mut stopped, if !stopping => {
                stopping = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
        }
    };
    if let Err(error) = ended {
        debug!(%error, "a connection ended early");
    }
}

async fn end(mut stream: impl Wire, pull: Pull) {
    let ended = match pull {
        Pull::Reset => stream.socket().set_zero_linger(),
        Pull::Garbage => stream.write_all(GARBAGE).await,
        Pull::Close | Pull::AfterAnswer => Ok(()),
    };
    if let Err(error) = ended {
        debug!(%error, "a connection did not end as it was asked to");
    }
}
