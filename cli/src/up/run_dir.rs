//! The directory of a run: Envoy's bootstrap, sockets, made-up Pods. It goes when the run ends.

use anyhow::{Context, ensure};
use kthena_router::local::{Capacity, Sockets, bootstrap};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The longest path that a Unix socket's address (`sun_path`, 108 bytes) can hold before its final 0.
const LONGEST_SOCKET: usize = 107;

/// A run's own directory.
#[derive(Debug)]
pub struct RunDir(TempDir);

// === impl RunDir ===

impl RunDir {
    /// Makes it.
    ///
    /// # Errors
    /// It cannot be made, or its path is too long for a socket below it.
    pub fn new() -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("kthena-").tempdir().context("run directory")?;
        let run = Self(directory);
        let Sockets { xds, picker } = run.sockets();
        let longest = xds.as_os_str().len().max(picker.as_os_str().len());
        ensure!(
            longest <= LONGEST_SOCKET,
            "run directory {}: too long for a Unix socket below it; set TMPDIR to a shorter one",
            run.path().display()
        );
        fs::create_dir(run.simulated()).with_context(|| run.simulated().display().to_string())?;
        Ok(run)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The router's sockets.
    pub fn sockets(&self) -> Sockets {
        Sockets::in_directory(self.path())
    }

    /// Where made-up Pods are written.
    pub fn simulated(&self) -> PathBuf {
        self.path().join("simulated")
    }

    /// Writes Envoy's bootstrap; its path.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_bootstrap(&self, admin: SocketAddr, capacity: Capacity, traced: bool) -> anyhow::Result<PathBuf> {
        let path = self.path().join("envoy.json");
        let bootstrap = bootstrap("kthena-up", admin, &self.sockets(), capacity, traced);
        fs::write(&path, bootstrap.to_string()).with_context(|| path.display().to_string())?;
        Ok(path)
    }
}
