//! What an answer can do to the connection under it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tokio::sync::watch;

/// One connection's end, in the hands of its requests.
#[derive(Debug, Clone)]
pub struct Plug(Arc<watch::Sender<Option<Pull>>>);

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pull {
    /// At once, with RST.
    Reset,
    /// At once, with FIN.
    Close,
    /// At once, with bytes that are no HTTP before it.
    Garbage,
    /// Behind the present answer.
    AfterAnswer,
}

/// A router whose requests carry their connection's plug as an extension.
#[derive(Debug, Clone)]
pub struct Plugged<R> {
    router: TowerToHyperService<R>,
    plug: Plug,
}

// === impl Plug ===

impl Plug {
    pub fn pull(&self, pull: Pull) {
        self.0.send_replace(Some(pull));
    }

    /// Completes with each pull.
    pub async fn pulled(receiver: &mut watch::Receiver<Option<Pull>>) -> Pull {
        loop {
            if receiver.changed().await.is_err() {
                // Nobody is left who could pull.
                std::future::pending::<()>().await;
            }
            if let Some(pull) = *receiver.borrow_and_update() {
                return pull;
            }
        }
    }

    pub fn receiver(&self) -> watch::Receiver<Option<Pull>> {
        self.0.subscribe()
    }
}

impl Default for Plug {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

// === impl Plugged ===

impl<R> Plugged<R> {
    pub fn new(router: R, plug: Plug) -> Self {
        Self { router: TowerToHyperService::new(router), plug }
    }
}

impl<R> Service<hyper::Request<Incoming>> for Plugged<R>
where
    TowerToHyperService<R>: Service<Request>,
{
    type Response = <TowerToHyperService<R> as Service<Request>>::Response;
    type Error = <TowerToHyperService<R> as Service<Request>>::Error;
    type Future = <TowerToHyperService<R> as Service<Request>>::Future;

    fn call(&self, request: hyper::Request<Incoming>) -> Self::Future {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(self.plug.clone());
        self.router.call(request)
    }
}
