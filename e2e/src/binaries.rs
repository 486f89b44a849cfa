//! Where the programs under test are.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `kthena` of the profile that this test was built with.
///
/// # Panics
/// When it, or the filter's module beside it, is not built: the message says how.
pub fn kthena() -> PathBuf {
    beside("kthena")
}

/// The filter's module.
///
/// # Panics
/// As [`kthena`].
pub fn filter_module() -> PathBuf {
    beside("kthena_wasm_filter.wasm")
}

/// The Envoy that we are built against, fetched if need be.
///
/// # Panics
/// When `tools/envoy` cannot provide it.
pub fn envoy() -> PathBuf {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/envoy");
    let output = Command::new(&tool).output().expect("tools/envoy can be started");
    assert!(output.status.success(), "tools/envoy: {}", String::from_utf8_lossy(&output.stderr));
    let stdout = String::from_utf8(output.stdout).expect("a path in UTF-8");
    stdout.lines().last().expect("the last line is the path").into()
}

/// Cargo leaves a test in `target/PROFILE/deps`, and binaries in `target/PROFILE`.
fn beside(name: &str) -> PathBuf {
    let test = env::current_exe().expect("the path of this test");
    let profile = test.parent().and_then(Path::parent).expect("a directory two levels up");
    let path = profile.join(name);
    assert!(path.exists(), "{} is missing: run `make test`, or first `make debug`", path.display());
    path
}
