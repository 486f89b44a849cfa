//! A simulated engine in a process of its own, which can be killed, stopped and started again.

use crate::binaries::beside;
use crate::{Client, Loopback, spawn, until};
use serde_json::Value;
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::sync::{Mutex, PoisonError};

/// The engine, at an address that stays its own; dropping it ends it.
#[derive(Debug)]
pub struct Simulator {
    address: Loopback,
    flags: Vec<String>,
    process: Mutex<Option<Child>>,
}

const PORT: u16 = 8000;

// === impl Simulator ===

impl Simulator {
    /// Starts one of this name with these flags.
    ///
    /// # Panics
    /// As all methods here: when the machine refuses.
    pub async fn start(name: &str, flags: &[&str]) -> Self {
        let address = Loopback::claim(&[PORT]);
        let mut all = vec![format!("--listen={}", address.at(PORT)), format!("--name={name}")];
        all.extend(flags.iter().map(|flag| (*flag).to_owned()));
        let simulator = Self { address, flags: all, process: Mutex::new(None) };
        simulator.restart().await;
        simulator
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address.at(PORT)
    }

    /// The address without its port.
    pub fn ip(&self) -> String {
        self.address.ip().to_string()
    }

    /// Ends it at once; nobody listens at its address then.
    pub fn kill(&self) {
        if let Some(mut process) = self.process.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Starts it again, in the place of the one that may run, and waits until it listens.
    pub async fn restart(&self) {
        self.kill();
        let process = spawn(&beside("kthena-simulator"), |command| {
            command.args(&self.flags).env("RUST_LOG", "error");
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        });
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Some(process);
        let client = Client::new(self.address());
        until("a simulator to listen", async || client.try_get("/health").await.ok()).await;
    }

    /// What goes wrong from now on, as its faults' API has it, in the place of whatever did; an empty list: nothing.
    pub async fn faults(&self, faults: &Value) {
        let client = Client::new(self.address());
        client.bare(http::Method::DELETE, "/simulator/faults", &[]).await;
        if faults.as_array().is_none_or(|faults| !faults.is_empty()) {
            client.post("/simulator/faults", &[], faults.to_string()).await.ok();
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.kill();
    }
}
