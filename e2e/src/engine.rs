//! Engines inside the test process, at addresses of their own: they can be slow, dead or hostile.

use crate::{Client, Loopback};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kthena_simulator::{Options, Simulator};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

type Shutdown = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The port of every engine here.
const PORT: u16 = 8000;

/// An engine; dropping it ends it.
#[derive(Debug)]
pub struct Engine {
    address: Loopback,
    /// Dropping it is the signal.
    _shutdown: oneshot::Sender<()>,
}

// === impl Engine ===

impl Engine {
    /// A simulated one; its place is chosen here, and the name is what `x-simulator` says.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn simulated(name: &str, options: Options) -> Self {
        Self::simulated_at(Loopback::claim(&[PORT]), name, options)
    }

    /// A simulated one at this address, of which nothing else may have port 8000.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn simulated_at(address: Loopback, name: &str, options: Options) -> Self {
        let name = Some(name.to_owned());
        Self::run(address, async move |listen, bound, shutdown| {
            let simulator = Simulator::bind(Options { listen, name, ..options }).await.expect("a free address");
            bound.send(()).expect("someone waits");
            simulator.serve(shutdown).await.expect("it serves to its end");
        })
    }

    /// One that answers everything with this status and body.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn answering(status: u16, body: &'static str) -> Self {
        Self::serving(move |_| async move {
            let answer = Response::builder().status(status).header("content-type", "text/plain");
            answer.body(Full::new(Bytes::from_static(body.as_bytes()))).expect("a valid answer")
        })
    }

    /// One that answers as `answer` does.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn serving<F>(answer: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static) -> Self
    where
        F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        let answer = move |request| {
            let answer = answer(request);
            async move { Ok::<_, Infallible>(answer.await) }
        };
        Self::run(Loopback::claim(&[PORT]), async move |listen, bound, shutdown| {
            let listener = TcpListener::bind(listen).await.expect("a free address");
            bound.send(()).expect("someone waits");
            let serve = async {
                while let Ok((connection, _)) = listener.accept().await {
                    let connection = TokioIo::new(connection);
                    let answer = service_fn(answer.clone());
                    tokio::spawn(http1::Builder::new().serve_connection(connection, answer));
                }
            };
            tokio::select! { () = serve => {}, () = shutdown => {} }
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address.at(PORT)
    }

    /// The address without its port.
    pub fn ip(&self) -> String {
        self.address.ip().to_string()
    }

    /// Tells it to end, which may take its time; the address is still ours.
    pub fn leave(self) -> Loopback {
        self.address
    }

    /// Ends it; the address is still ours, and nothing listens there.
    ///
    /// # Panics
    /// When it listens on.
    pub fn end(self) -> Loopback {
        let address = self.leave();
        let given_up = Instant::now() + Duration::from_secs(30);
        while std::net::TcpListener::bind(address.at(PORT)).is_err() {
            assert!(Instant::now() < given_up, "{} is still taken", address.at(PORT));
            thread::sleep(Duration::from_millis(5));
        }
        address
    }

    /// A client that asks it directly.
    pub fn client(&self) -> Client {
        Client::new(self.address())
    }

    /// A runtime and a thread of its own: an engine outlives the test that happened to start it.
    fn run<F: Future<Output = ()>>(
        address: Loopback,
        serve: impl FnOnce(SocketAddr, Sender<()>, Shutdown) -> F + Send + 'static,
    ) -> Self {
        let listen = address.at(PORT);
        let (sender, receiver) = oneshot::channel::<()>();
        let shutdown: Shutdown = Box::pin(async move { drop(receiver.await) });
        let (bound, told) = mpsc::channel();
        thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(serve(listen, bound, shutdown));
        });
        told.recv().expect("the engine listens");
        Self { address, _shutdown: sender }
    }
}
