//! The router and an Envoy beside it, started by hand as a pod's two containers are: nobody supervises them.

use crate::until::{READY, within};
use crate::{Client, Loopback, Output, envoy, filter_module, router, scratch, spawn, until};
use kthena_envoy::{Capacity, Sockets, bootstrap::bootstrap};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Mutex;
use tempfile::TempDir;

/// The two processes; dropping it kills them.
#[derive(Debug)]
pub struct Pod {
    address: Loopback,
    router: Mutex<Child>,
    envoy: Child,
    /// What the router writes.
    pub output: Output,
    directory: TempDir,
}

/// How the two are laid out.
#[derive(Debug, Clone, Copy)]
pub struct Launch {
    /// Envoy's threads that serve.
    pub workers: usize,
    /// Nobody else may listen where Envoy does. Its workers then share one queue of new connections.
    pub exclusive: bool,
}

/// What no test or bench comes near.
pub(crate) const CAPACITY: Capacity = Capacity { heap: 4 << 30, connections: 20_000 };

// === impl Pod ===

impl Pod {
    /// Starts both on these manifests, the router with this environment, and waits until they are ready.
    ///
    /// # Panics
    /// When they cannot be started.
    pub async fn start(manifests: &str, environment: &[(&str, &str)]) -> Self {
        let pod = Self::launch(&[("all.yaml", manifests)], environment, Launch { workers: 2, exclusive: true }).await;
        within(READY, "the pod to be ready", async || {
            let answer = pod.client().try_get("/readyz").await.ok()?;
            (answer.status == 200).then_some(())
        })
        .await;
        pod
    }

    /// Starts both on a directory of these manifests, by file name, and does not wait until they are ready.
    ///
    /// # Panics
    /// When they cannot be started.
    pub async fn launch(manifests: &[(&str, &str)], environment: &[(&str, &str)], launch: Launch) -> Self {
        let directory = scratch::directory();
        let served = directory.path().join("manifests");
        fs::create_dir(&served).expect("a directory of manifests");
        for (file, text) in manifests {
            fs::write(served.join(file), text).expect("a manifest");
        }
        let address = Loopback::claim(&[8080, 9090, 15000, 9901]);
        let sockets = Sockets::in_directory(directory.path());
        let config = directory.path().join("envoy.json");
        fs::write(&config, bootstrap("pod", address.at(9901), &sockets, CAPACITY, false).to_string())
            .expect("a bootstrap");

        let output = Output::default();
        let mut router = spawn(&router(), |command| {
            command.arg("--manifests").arg(&served).arg("--run-dir").arg(directory.path());
            command.arg("--wasm").arg(filter_module());
            if launch.exclusive {
                command.arg("--exclusive");
            }
            for (flag, port) in [("--listen", 8080), ("--metrics", 9090), ("--debug", 15000), ("--envoy-admin", 9901)] {
                command.arg(flag).arg(address.at(port).to_string());
            }
            command.envs(environment.iter().copied());
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        });
        output.follow(router.stderr.take().expect("a pipe"));
        let listens = |socket: &PathBuf| socket.exists();
        until("the router's sockets", async || (listens(&sockets.xds) && listens(&sockets.picker)).then_some(())).await;
        let envoy = spawn(&envoy(), |command| {
            command.arg("-c").arg(&config).args(["--disable-hot-restart", "--concurrency"]);
            command.arg(launch.workers.to_string());
            command.args(["--drain-strategy", "immediate", "--log-level", "error"]);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        });
        Self { address, router: Mutex::new(router), envoy, output, directory }
    }

    /// The file of that name among the manifests.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join("manifests").join(name)
    }

    /// Envoy's process.
    pub fn envoy(&self) -> u32 {
        self.envoy.id()
    }

    /// The router's process.
    ///
    /// # Panics
    /// Never: nothing panics while its lock is held.
    pub fn router(&self) -> u32 {
        self.router.lock().expect("nothing panics while it is held").id()
    }

    /// Where clients send requests.
    pub fn address(&self) -> SocketAddr {
        self.address.at(8080)
    }

    /// A client of the listener.
    pub fn client(&self) -> Client {
        Client::new(self.address())
    }

    /// A client of Envoy's admin pages.
    pub fn admin(&self) -> Client {
        Client::new(self.address.at(9901))
    }

    /// Asks the router to end, as kubelet does first.
    ///
    /// # Panics
    /// When it is gone.
    pub fn end_router(&self) {
        signal(self.router(), Signal::TERM);
    }

    /// Waits until the router has ended.
    pub async fn router_ended(&self) -> ExitStatus {
        until("the end of the router", async || {
            self.router.lock().expect("nothing panics while it is held").try_wait().expect("the child's state")
        })
        .await
    }

    /// Asks Envoy to end, as kubelet does once the router has.
    ///
    /// # Panics
    /// When it is gone.
    pub fn end_envoy(&self) {
        signal(self.envoy.id(), Signal::TERM);
    }
}

fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.cast_signed()).expect("a process id is not 0");
    kill_process(pid, signal).expect("the process takes a signal");
}

impl Drop for Pod {
    fn drop(&mut self) {
        if let Ok(router) = self.router.get_mut() {
            let _ = router.kill();
            let _ = router.wait();
        }
        let _ = self.envoy.kill();
        let _ = self.envoy.wait();
    }
}
