//! A running `kthena up`: its files, its processes, its words.

use crate::{Client, Loopback, Output, until};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::sync::Mutex;
use tempfile::TempDir;

/// `kthena up` on an address and a directory of its own; dropping it kills it.
#[derive(Debug)]
pub struct Kthena {
    directory: TempDir,
    address: Loopback,
    process: Mutex<Child>,
    pid: u32,
    /// Everything it and its children write.
    pub output: Output,
}

// === impl Kthena ===

impl Kthena {
    pub(crate) fn new(directory: TempDir, address: Loopback, process: Child, output: Output) -> Self {
        let pid = process.id();
        Self { directory, address, process: Mutex::new(process), pid, output }
    }

    /// Where clients send requests.
    pub fn address(&self) -> SocketAddr {
        self.address.at(8080)
    }

    /// A client of its listener.
    pub fn client(&self) -> Client {
        Client::new(self.address())
    }

    /// A client of its metrics.
    pub fn metrics(&self) -> Client {
        Client::new(self.address.at(9090))
    }

    /// A client of its debug pages.
    pub fn debug(&self) -> Client {
        Client::new(self.address.at(15000))
    }

    /// A client of Envoy's admin pages.
    pub fn admin(&self) -> Client {
        Client::new(self.address.at(9901))
    }

    /// The file of that name among the manifests.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join("manifests").join(name)
    }

    /// Writes a manifest in place, as `echo ... > FILE` does.
    ///
    /// # Panics
    /// When the disk refuses, as the next two.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.file(name), text).expect("a manifest is written");
    }

    /// Writes a manifest beside its place and renames it, as editors do.
    pub fn replace(&self, name: &str, text: &str) {
        let beside = self.file(&format!(".{name}.new"));
        fs::write(&beside, text).expect("a file is written");
        fs::rename(&beside, self.file(name)).expect("a file is renamed");
    }

    /// Deletes a manifest.
    pub fn remove(&self, name: &str) {
        fs::remove_file(self.file(name)).expect("a manifest is deleted");
    }

    /// The process of `kthena up` itself.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The process that a child runs in now: `router`, `envoy` or `simulator NAMESPACE/POD`.
    ///
    /// # Panics
    /// When none was ever started under that name.
    pub fn child(&self, name: &str) -> u32 {
        let pid = children(&self.output).into_iter().rev().find(|(known, _)| known == name).map(|(_, pid)| pid);
        pid.unwrap_or_else(|| panic!("no child `{name}` in:\n{}", self.output.text()))
    }

    /// Every process that it ever started, in order.
    pub fn children(&self) -> Vec<(String, u32)> {
        children(&self.output)
    }

    /// Sends a signal to one of the processes here.
    ///
    /// # Panics
    /// When it is no process of this instance, or is gone.
    pub fn signal(&self, pid: u32, signal: Signal) {
        assert!(pid == self.pid || self.children().iter().any(|(_, child)| *child == pid), "{pid} is not ours");
        let pid = Pid::from_raw(pid.cast_signed()).expect("a process id is not 0");
        kill_process(pid, signal).expect("the process takes a signal");
    }

    /// Waits for a line of output, from a mark on.
    pub async fn line(&self, mark: usize, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        until(&format!("{what} after line {mark} of {}", Shown(self)), async || self.output.find(mark, &wanted)).await
    }

    /// Waits until the process has ended.
    pub async fn ended(&self) -> ExitStatus {
        until("the end of kthena up", async || {
            self.process.lock().expect("nothing panics while it is held").try_wait().expect("the child's state")
        })
        .await
    }

    /// The gauge of requests that the picker chose a pod for and that have not ended.
    ///
    /// # Panics
    /// When the metrics page has no such gauge.
    pub async fn in_flight(&self) -> Option<u64> {
        let page = self.metrics().try_get("/metrics").await.ok()?;
        let line = page.text().lines().find_map(|line| line.strip_prefix("kthena_router_in_flight_requests "));
        Some(line.expect("the gauge is always there").parse().expect("a count"))
    }

    /// Envoy's counters and gauges whose name matches a regular expression.
    pub async fn envoy_stats(&self, filter: &str) -> BTreeMap<String, u64> {
        let page = self.admin().get(&format!("/stats?filter={filter}")).await;
        let lines = page.text().lines().filter_map(|line| line.rsplit_once(": "));
        lines.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect()
    }
}

impl Drop for Kthena {
    fn drop(&mut self) {
        if let Ok(process) = self.process.get_mut() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Names the instance in a panic, output and all.
struct Shown<'a>(&'a Kthena);

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "kthena {}", self.0.pid)
    }
}

/// `child NAME pid N`, as the supervisor says whenever one starts.
pub(crate) fn children(output: &Output) -> Vec<(String, u32)> {
    let child = |line: &String| {
        let (name, pid) = line.strip_prefix("child ")?.rsplit_once(" pid ")?;
        Some((name.to_owned(), pid.parse().ok()?))
    };
    output.lines().iter().filter_map(child).collect()
}

/// Whether a process runs; one that has ended and waits for its parent's look does not.
pub fn is_alive(pid: u32) -> bool {
    // A process whose first thread has ended may still have others, and hold its ports.
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("stat")).ok()).any(|stat| {
        // The state follows the name in parentheses, which may hold anything.
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        !matches!(state, Some('Z' | 'X') | None)
    })
}
