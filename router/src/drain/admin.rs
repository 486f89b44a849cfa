//! Envoy's admin pages, as far as a drain needs them.

use http::{Method, Request, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Nobody answers these calls slowly unless something is wrong.
const PATIENCE: Duration = Duration::from_secs(2);

/// No page that we ask for is longer.
const LONGEST: usize = 1 << 20;

/// The admin pages of one Envoy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Admin(pub(super) SocketAddr);

impl Admin {
    /// Posts nothing to a path.
    ///
    /// # Errors
    /// No answer, or a status other than success: what a person is told.
    pub(super) async fn post(self, path: &str) -> Result<(), String> {
        self.ask(Method::POST, path).await.map(drop)
    }

    /// The text at a path.
    ///
    /// # Errors
    /// As [`Admin::post`].
    pub(super) async fn get(self, path: &str) -> Result<String, String> {
        self.ask(Method::GET, path).await
    }

    /// Whether nobody listens there.
    pub(super) async fn refuses(self) -> bool {
        let connected = timeout(PATIENCE, TcpStream::connect(self.0)).await;
        matches!(connected, Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused)
    }

    async fn ask(self, method: Method, path: &str) -> Result<String, String> {
        let answer = timeout(PATIENCE, self.exchange(method, path)).await;
        answer.map_err(|_| format!("no answer in {PATIENCE:?}"))?.map_err(|error| error.to_string())
    }

    /// On a connection of its own: one that is kept would count among those that Envoy waits for.
    async fn exchange(self, method: Method, path: &str) -> Result<String, Box<dyn Error + Send + Sync>> {
        let stream = TcpStream::connect(self.0).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::builder().method(method).uri(path).header(header::HOST, self.0.to_string());
        let request = request.header(header::CONNECTION, "close").body(Empty::<Bytes>::new())?;
        let answer = async {
            let (head, body) = sender.send_request(request).await?.into_parts();
            let body = Limited::new(body, LONGEST).collect().await?.to_bytes();
            match head.status.is_success() {
                true => Ok(String::from_utf8_lossy(&body).into_owned()),
                false => Err(format!("{path}: status {}", head.status.as_u16()).into()),
            }
        };
        let (answer, _) = tokio::join!(answer, connection);
        answer
    }
}
