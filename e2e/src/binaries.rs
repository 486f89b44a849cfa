//! Where the programs under test are.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;
use std::{env, fs};

/// `kthena` of the profile that this test was built with.
///
/// # Panics
/// When it, or the filter's module beside it, is not built or is older than its sources: the message says
/// how to build them.
pub fn kthena() -> PathBuf {
    static KTHENA: OnceLock<PathBuf> = OnceLock::new();
    let checked = KTHENA.get_or_init(|| {
        let kthena = beside("kthena");
        let sources = sources(&kthena);
        assert_newer(&kthena, &sources);
        // `make debug` lays the module down anew each time, so any source will do to compare with.
        assert_newer(&filter_module(), &[sources, rust_files(&repository().join("wasm-filter/src"))].concat());
        kthena
    });
    checked.clone()
}

/// `kthena-router`, as a pod runs it.
///
/// # Panics
/// As [`kthena`].
pub fn router() -> PathBuf {
    static ROUTER: OnceLock<PathBuf> = OnceLock::new();
    let checked = ROUTER.get_or_init(|| {
        let router = beside("kthena-router");
        assert_newer(&router, &sources(&router));
        router
    });
    checked.clone()
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
    fetched("tools/envoy")
}

/// The headless Chromium that the page is tested in, fetched if need be.
///
/// # Panics
/// When `tools/chromium` cannot provide it.
pub fn chromium() -> PathBuf {
    fetched("tools/chromium")
}

/// A Python that has OpenAI's and Anthropic's client libraries, fetched if need be.
///
/// # Panics
/// When `tools/clients` cannot provide it.
pub fn python_with_clients() -> PathBuf {
    fetched("tools/clients")
}

pub(crate) fn fetched(tool: &str) -> PathBuf {
    let output = Command::new(repository().join(tool)).output().expect("a tool of ours can be started");
    assert!(output.status.success(), "{tool}: {}", String::from_utf8_lossy(&output.stderr));
    let stdout = String::from_utf8(output.stdout).expect("a path in UTF-8");
    stdout.lines().last().expect("the last line is the path").into()
}

/// Cargo leaves a test in `target/PROFILE/deps`, and binaries in `target/PROFILE`.
pub(crate) fn beside(name: &str) -> PathBuf {
    let this = env::current_exe().expect("the path of this program");
    let directory = this.parent().expect("a directory");
    let profile = if directory.ends_with("deps") { directory.parent().expect("a directory above") } else { directory };
    let path = profile.join(name);
    assert!(path.exists(), "{} is missing: run `make test`, or first `make debug`", path.display());
    path
}

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The files that a binary was built from, as cargo notes them beside it: what only tests read is not among
/// them, and touching it builds no new binary. Empty without cargo's note.
fn sources(binary: &Path) -> Vec<PathBuf> {
    let note = fs::read_to_string(binary.with_extension("d")).unwrap_or_default();
    let files = note.split_once(": ").map_or("", |(_, files)| files);
    // A space within a name is escaped.
    files.replace("\\ ", "\0").split_whitespace().map(|file| file.replace('\0', " ").into()).collect()
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory of sources").flatten().map(|entry| entry.path());
    let files = entries.flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// A test of old binaries would say something about code that is no longer there.
fn assert_newer(built: &Path, sources: &[PathBuf]) {
    let modified = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let newest = sources.iter().max_by_key(|path| modified(path));
    if let Some(newest) = newest.filter(|newest| modified(newest) > modified(built)) {
        let how =
            if built.components().any(|part| part.as_os_str() == "release") { "make build" } else { "make debug" };
        panic!("{} is older than {}: run `{how}`", built.display(), newest.display());
    }
}
