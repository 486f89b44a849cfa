//! Directories that are gone soon after the test process is, whatever ended it.
//!
//! Instances in statics are never dropped, and a `kthena` that is killed cannot tidy up. So all
//! directories lie in one, and a shell that waits for our end removes it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use tempfile::{Builder, TempDir};

struct Scratch {
    path: PathBuf,
    /// Its standard input ends with us.
    _janitor: Child,
}

static SCRATCH: LazyLock<Scratch> = LazyLock::new(|| {
    let path = Builder::new().prefix("kthena-e2e-").tempdir().expect("a temporary directory").keep();
    // Ctrl-C goes to the whole group of processes, and the janitor has its work after it.
    let script = r#"trap '' INT TERM HUP; cat >/dev/null; rm -rf "$0""#;
    let janitor = Command::new("sh").arg("-c").arg(script).arg(&path).stdin(Stdio::piped()).spawn().expect("a shell");
    Scratch { path, _janitor: janitor }
});

/// The directory that all others are in: for `TMPDIR` of what is started.
pub(crate) fn root() -> &'static Path {
    &SCRATCH.path
}

/// A new directory; its path is short enough for Unix sockets.
///
/// # Panics
/// When it cannot be made.
pub fn directory() -> TempDir {
    tempfile::tempdir_in(root()).expect("a temporary directory")
}
