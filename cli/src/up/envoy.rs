//! Envoy: where it is, and how it is started.

use std::env;
use std::ffi::OsString;
use std::num::NonZero;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

/// The Envoy that `tools/envoy` fetches, below the project's cache directory.
const FETCHED: &str = "envoy-1.40.0/envoy";

/// How long Envoy says `connection: close` after a drain has begun before it stops listening by itself.
/// We stop its listening at once and wait for the requests, so it may be short.
const DRAIN_SECONDS: &str = "5";

/// Finds Envoy.
///
/// # Errors
/// It is nowhere: says how to get it.
pub fn find(given: Option<&Path>) -> Result<PathBuf, String> {
    find_in(given, |name| env::var_os(name), is_executable)
}

/// The order of the places: the flag, the variable, the cache, the PATH. Who names one, means that one.
fn find_in(
    given: Option<&Path>,
    variable: impl Fn(&str) -> Option<OsString>,
    is_executable: impl Fn(&Path) -> bool,
) -> Result<PathBuf, String> {
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
    let named = given.map(|path| ("--envoy", path.to_owned()));
    let named = named.or_else(|| variable("KTHENA_ENVOY").map(|path| ("KTHENA_ENVOY", path.into())));
    if let Some((by, path)) = named {
        return match is_executable(&path) {
            true => Ok(path),
            false => Err(format!("Envoy {}: not an executable file, which {by} must name", path.display())),
        };
    }
    let cache = variable("KTHENA_CACHE").map(PathBuf::from).or_else(|| {
        let home = || Some(PathBuf::from(variable("HOME")?).join(".cache"));
        Some(variable("XDG_CACHE_HOME").map(PathBuf::from).or_else(home)?.join("kthena"))
    });
    let fetched = cache.map(|cache| cache.join(FETCHED));
    let path = variable("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).map(|directory| directory.join("envoy"));
    let mut places = fetched.iter().cloned().chain(on_path);
    places.find(|place| is_executable(place)).ok_or_else(|| {
        let fetched = fetched.map(|place| format!(" at {}", place.display())).unwrap_or_default();
        format!("Envoy: none{fetched} and none on the PATH; fetch it with `make envoy`, or name one with --envoy")
    })
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Envoy's command line.
pub fn command_line(envoy: &Path, bootstrap: &Path) -> Vec<OsString> {
    let threads = available_parallelism().map_or(1, NonZero::get).to_string();
    let mut command: Vec<OsString> = vec![envoy.into(), "-c".into(), bootstrap.into()];
    // Without hot restart nothing is shared, so several may run on a machine.
    command.extend(["--disable-hot-restart", "--drain-strategy", "immediate"].map(OsString::from));
    command.extend(["--drain-time-s", DRAIN_SECONDS, "--concurrency", &threads].map(OsString::from));
    match env::var_os("KTHENA_ENVOY_LOG").filter(|level| !level.is_empty()) {
        Some(level) => command.extend(["--log-level".into(), level]),
        // `main` warns at every start and end of what is meant to be so; `ext_proc` and `config` of each stream of a
        // router that ended, which is told once already, and of refusals, which the router tells.
        None => command.extend(
            ["--log-level", "warning", "--component-log-level", "main:error,ext_proc:error,config:error"]
                .map(OsString::from),
        ),
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Finds Envoy where only `there` exist.
    fn found(given: Option<&str>, variables: &[(&str, &str)], there: &[&str]) -> Result<String, String> {
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value));
        let is_executable = |path: &Path| there.iter().any(|known| Path::new(known) == path);
        find_in(given.map(Path::new), variable, is_executable).map(|path| path.display().to_string())
    }

    const ALL: &[(&str, &str)] = &[
        ("KTHENA_ENVOY", "/named/envoy"),
        ("KTHENA_CACHE", "/cache"),
        ("XDG_CACHE_HOME", "/xdg"),
        ("HOME", "/home/me"),
        ("PATH", "/bin:/usr/bin"),
    ];
    const EVERYWHERE: &[&str] = &[
        "/flag/envoy",
        "/named/envoy",
        "/cache/envoy-1.40.0/envoy",
        "/xdg/kthena/envoy-1.40.0/envoy",
        "/home/me/.cache/kthena/envoy-1.40.0/envoy",
        "/usr/bin/envoy",
    ];

    #[test]
    fn the_flag_wins_over_the_variable_the_cache_and_the_path() {
        assert_eq!(found(Some("/flag/envoy"), ALL, EVERYWHERE).unwrap(), EVERYWHERE[0]);
        for skipped in 0..5 {
            assert_eq!(found(None, &ALL[skipped..], EVERYWHERE).unwrap(), EVERYWHERE[skipped + 1]);
        }
    }

    #[test]
    fn the_path_is_searched_when_nothing_was_fetched() {
        assert_eq!(found(None, &ALL[1..], &["/usr/bin/envoy"]).unwrap(), "/usr/bin/envoy");
    }

    #[test]
    fn one_that_is_named_is_not_replaced_by_another() {
        let error = found(None, ALL, &["/usr/bin/envoy"]).unwrap_err();
        assert_eq!(error, "Envoy /named/envoy: not an executable file, which KTHENA_ENVOY must name");
        let error = found(Some("/flag/envoy"), ALL, &["/named/envoy"]).unwrap_err();
        assert!(error.ends_with("which --envoy must name"), "{error}");
    }

    #[test]
    fn a_missing_one_is_said_with_the_remedy() {
        let error = found(None, &[("HOME", "/home/me")], &[]).unwrap_err();
        let place = "/home/me/.cache/kthena/envoy-1.40.0/envoy";
        assert!(error.contains(place) && error.contains("`make envoy`"), "{error}");
    }
}
