//! Both sides of a comparison, before the same engines.

use super::{Engines, PlainEnvoy, Used};
use crate::until::{READY, within};
use crate::{Launch, Pod, manifests};
use anyhow::Context;
use std::fmt::Write;
use std::net::SocketAddr;
use std::num::NonZero;
use std::thread::available_parallelism;

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// An Envoy that only proxies.
    Plain,
    /// Envoy with our filter, and the router, as in a pod of them.
    Ours,
}

/// Both of them, and the engines.
#[derive(Debug)]
pub struct Sides {
    /// They answer at once.
    pub engines: Engines,
    /// That which is compared with.
    pub plain: PlainEnvoy,
    /// That which is compared.
    pub ours: Pod,
}

/// What clients ask for, and what the engines call it: the filter has it to rewrite.
pub const MODEL: &str = "llama-3-8b";
const SERVED: &str = "meta-llama/Llama-3.1-8B-Instruct";

// === impl Sides ===

impl Sides {
    /// Starts them before these engines.
    ///
    /// # Panics
    /// When one does not serve in time.
    pub async fn start(engines: Engines) -> Self {
        let plain = PlainEnvoy::start(engines.addresses(), workers()).await;
        let ours = pod(&[("all.yaml", &served(&engines))]).await;
        let client = ours.client();
        let answered = async || client.try_chat(MODEL).await.ok().filter(|answer| answer.status == 200);
        within(READY, "our side to serve", answered).await;
        Self { engines, plain, ours }
    }

    /// Where clients of a side ask.
    pub fn address(&self, side: Side) -> SocketAddr {
        match side {
            Side::Plain => self.plain.address(),
            Side::Ours => self.ours.address(),
        }
    }

    /// What Envoy of this side used so far, and the router if it has one.
    ///
    /// # Errors
    /// One has ended.
    pub fn used(&self, side: Side) -> anyhow::Result<[Used; 2]> {
        Ok(match side {
            Side::Plain => [Used::of(self.plain.pid()).context("plain Envoy")?, Used::default()],
            Side::Ours => {
                [Used::of(self.ours.envoy()).context("our Envoy")?, Used::of(self.ours.router()).context("the router")?]
            }
        })
    }
}

/// As many as Envoy takes by itself.
pub fn workers() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}

/// The router and Envoy as a pod has them, on these manifests: every plugin, retries, usage and the access log as by
/// default.
pub async fn pod(manifests: &[(&str, &str)]) -> Pod {
    Pod::launch(manifests, &[], Launch { workers: workers(), exclusive: false }).await
}

/// A route to all these engines.
pub fn served(engines: &Engines) -> String {
    let mut all = manifests::route("chat", MODEL, &[("llama", 100)]) + &manifests::server("llama", SERVED, "");
    for (index, ip) in engines.addresses().iter().enumerate() {
        // Writing into a String does not fail.
        let _ = write!(all, "{}", manifests::pod(&format!("llama-{index}"), "llama", ip));
    }
    all
}
